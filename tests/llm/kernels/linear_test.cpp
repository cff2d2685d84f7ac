// The product of many rows, in whatever this processor computes it, against double precision.

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <catch2/catch.hpp>

#include "llm/kernels/linear.hpp"
#include "llm/runtime.hpp"

using namespace kvmesh::llm;

namespace {

struct Shape {
  std::int64_t rows, width, outputs;
};

/// The greatest distance from the exact product, relative to the size of what was summed.
double worst(const Shape& shape, at::ScalarType type, bool with_bias) {
  c10::InferenceMode guard;
  at::manual_seed(3);
  const at::Tensor input = at::randn({shape.rows, shape.width}).to(type);
  const at::Tensor weight = at::randn({shape.outputs, shape.width}).to(type);
  const at::Tensor bias = with_bias ? at::randn({shape.outputs}).to(type) : at::Tensor();
  at::Tensor out = at::full({shape.rows, shape.outputs}, 1e4, at::TensorOptions().dtype(type));
  kernels::linear(out, input, weight, bias);
  at::Tensor exact = at::mm(input.to(at::kDouble), weight.to(at::kDouble).t());
  if (with_bias) exact += bias.to(at::kDouble);
  return (out.to(at::kDouble) - exact).abs().max().item<double>() / std::sqrt(static_cast<double>(shape.width));
}

}  // namespace

TEST_CASE("linear: the product of many rows is exact to the type's rounding, whatever it is computed in") {
  // The last two are wider than the weights that are widened at once, and no multiple of them.
  for (const Shape& shape : {Shape{9, 7, 3}, Shape{33, 100, 65}, Shape{12, 4096, 700}, Shape{70, 2048, 1200}}) {
    for (bool with_bias : {false, true}) {
      INFO(shape.rows << " x " << shape.width << " x " << shape.outputs << (with_bias ? ", bias" : ""));
      CHECK(worst(shape, at::kFloat, with_bias) < 2e-5);
      CHECK(worst(shape, at::kHalf, with_bias) < 4e-3);
      CHECK(worst(shape, at::kBFloat16, with_bias) < 3e-2);
    }
  }
}

TEST_CASE("linear: what is not fp32 is computed in fp32 where the processor does not multiply it, and rounded once") {
  if (product_type(at::kBFloat16) != at::kFloat) return;
  c10::InferenceMode guard;
  at::manual_seed(4);
  const at::Tensor input = at::randn({20, 64}).to(at::kBFloat16), weight = at::randn({40, 64}).to(at::kBFloat16);
  at::Tensor out = at::empty({20, 40}, at::kBFloat16), wide = at::empty({20, 40});
  kernels::linear(out, input, weight, {});
  kernels::linear(wide, input.to(at::kFloat), weight.to(at::kFloat), {});
  CHECK(at::equal(out, wide.to(at::kBFloat16)));
}
