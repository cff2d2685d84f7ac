// Weights in pieces, as they are stored: their products against double precision, in every dtype.

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <catch2/catch.hpp>
#include <random>

#include "llm/kernels/kernel_sets.hpp"
#include "llm/kernels/linear.hpp"

using namespace kvmesh;
using namespace kvmesh::llm;

namespace {

const std::vector<StoredDtype> kDtypes = {StoredDtype::kFloat, StoredDtype::kHalf,  StoredDtype::kBFloat16,
                                          StoredDtype::kQ4_0,  StoredDtype::kQ4_1,  StoredDtype::kQ5_0,
                                          StoredDtype::kQ5_1,  StoredDtype::kQ8_0,  StoredDtype::kQ2_K,
                                          StoredDtype::kQ3_K,  StoredDtype::kQ4_K,  StoredDtype::kQ5_K,
                                          StoredDtype::kQ6_K,  StoredDtype::kIQ4_NL};

/// Where the scales of a block stand.
std::vector<std::size_t> scales_of(StoredDtype dtype) {
  switch (dtype) {
    case StoredDtype::kQ2_K: return {80, 82};
    case StoredDtype::kQ3_K: return {108};
    case StoredDtype::kQ6_K: return {208};
    case StoredDtype::kQ4_1:
    case StoredDtype::kQ5_1:
    case StoredDtype::kQ4_K:
    case StoredDtype::kQ5_K: return {0, 2};
    default: return {0};
  }
}

/// Rows of random blocks whose numbers are neither large nor alike.
Matrix::Piece piece_of(StoredDtype dtype, std::int64_t rows, std::int64_t columns, std::int64_t interleaved = 0) {
  static std::mt19937 random(11);
  std::string bytes(static_cast<std::size_t>(rows * columns / block_length(dtype)) * element_size(dtype), '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  for (std::size_t at = 0; at < bytes.size(); at += element_size(dtype)) {
    if (!is_quantised(dtype)) {
      const auto small = static_cast<float>(random() % 2001) / 1000.0f - 1;
      const at::Tensor number = at::scalar_tensor(small).to(dtype == StoredDtype::kFloat  ? at::kFloat
                                                            : dtype == StoredDtype::kHalf ? at::kHalf
                                                                                          : at::kBFloat16);
      std::memcpy(bytes.data() + at, number.data_ptr(), element_size(dtype));
      continue;
    }
    for (const std::size_t scale : scales_of(dtype)) {
      const auto half = static_cast<std::uint16_t>(0x1800 + random() % 0x0800 + (random() % 2 << 15));
      std::memcpy(bytes.data() + at + scale, &half, sizeof half);
    }
  }
  return {dtype, OwnedBytes::from_string(bytes), rows, interleaved};
}

/// The greatest distance from the exact product, relative to the size of what was summed.
double worst(const Matrix& weight, std::int64_t rows, bool with_bias) {
  const at::ScalarType type = weight.options().dtype().toScalarType();
  const at::Tensor input = at::randn({rows, weight.columns()}).to(type);
  const at::Tensor bias = with_bias ? at::randn({weight.rows()}).to(type) : at::Tensor();
  at::Tensor out = at::full({rows, weight.rows()}, 1e4, at::TensorOptions().dtype(type));
  kernels::linear(out, input, weight, bias);
  const at::Tensor wide = weight.widened().to(at::kDouble);
  at::Tensor exact = at::mm(input.to(at::kDouble), wide.t());
  const double size = wide.abs().max().item<double>() * std::sqrt(static_cast<double>(weight.columns())) + 1;
  if (with_bias) exact += bias.to(at::kDouble);
  return (out.to(at::kDouble) - exact).abs().max().item<double>() / size;
}

}  // namespace

TEST_CASE("matrix: products with stored weights are those of their numbers, in every dtype and for any rows") {
  c10::InferenceMode guard;
  at::manual_seed(5);
  for (const StoredDtype dtype : kDtypes) {
    const Matrix weight({piece_of(dtype, 37, 1280)}, 1280, at::kFloat);
    for (const std::int64_t rows : {1, 2, 3, 5, 8, 9, 33}) {
      INFO(name_of(dtype) << ", " << rows << " rows");
      CHECK(worst(weight, rows, rows % 2 == 0) < 2e-6);
    }
  }
}

TEST_CASE("matrix: pieces of different dtypes write their own columns, interleaved rows in the other order") {
  c10::InferenceMode guard;
  at::manual_seed(6);
  const Matrix weight({piece_of(StoredDtype::kQ4_K, 64, 256, /*interleaved=*/16),
                       piece_of(StoredDtype::kQ6_K, 32, 256, 16), piece_of(StoredDtype::kHalf, 32, 256)},
                      256, at::kFloat);
  for (const std::int64_t rows : {1, 7, 20}) CHECK(worst(weight, rows, /*with_bias=*/true) < 2e-6);
  CHECK(worst(weight.from(64), 3, false) < 2e-6);

  const at::Tensor wide = weight.widened();
  const Matrix straight({{StoredDtype::kQ4_K, weight.pieces()[0].bytes, 64, 0}}, 256, at::kFloat);
  const at::Tensor stored = straight.widened();
  for (const std::int64_t head : {0, 3}) {
    for (const std::int64_t pair : {0, 1, 7}) {
      CHECK(at::equal(wide[head * 16 + pair], stored[head * 16 + 2 * pair]));
      CHECK(at::equal(wide[head * 16 + 8 + pair], stored[head * 16 + 2 * pair + 1]));
    }
  }
}

TEST_CASE("matrix: a row's product has the same bits whoever stands beside it") {
  c10::InferenceMode guard;
  at::manual_seed(7);
  for (const StoredDtype dtype : {StoredDtype::kQ4_1, StoredDtype::kQ6_K, StoredDtype::kBFloat16}) {
    const Matrix weight({piece_of(dtype, 50, 768)}, 768, at::kFloat);
    const at::Tensor input = at::randn({8, 768});
    at::Tensor together = at::empty({8, 50}), alone = at::empty({1, 50});
    kernels::linear(together, input, weight, {});
    for (std::int64_t r = 0; r < 8; ++r) {
      kernels::linear(alone, input.narrow(0, r, 1), weight, {});
      CHECK(at::equal(alone[0], together[r]));
    }
  }
}

TEST_CASE("matrix: quantised weights meet activations rounded to 16 bits, by every instruction set") {
  c10::InferenceMode guard;
  at::manual_seed(9);
  for (const StoredDtype dtype : kDtypes) {
    if (!is_quantised(dtype)) continue;
    const Matrix weight({piece_of(dtype, 21, 1024)}, 1024, at::kFloat);
    const at::Tensor input = at::randn({5, 1024});
    input[2].narrow(0, 64, 32).zero_();
    const at::Tensor groups = input.view({5, -1, 32});
    const at::Tensor scales = groups.abs().amax(-1, /*keepdim=*/true) / 32512;
    const at::Tensor rounded = (groups / scales.clamp_min(1e-30)).round() * scales;
    CHECK((rounded - groups).abs().max().item<double>() < 1e-4);
    const at::Tensor wide = weight.widened().to(at::kDouble);
    const at::Tensor exact = at::mm(rounded.view({5, 1024}).to(at::kDouble), wide.t());
    const double size = wide.abs().max().item<double>() * std::sqrt(1024.0);
    for (const kernels::KernelSet* set : kernels::runnable_sets()) {
      INFO(name_of(dtype) << " by " << to_string(set->instruction_set));
      std::vector<std::int8_t> high(5 * 1024), low(5 * 1024);
      std::vector<float> own_scales(5 * 32), sums(5 * 32), half_sums(5 * 64);
      set->round_activations({input.data_ptr<float>(), high.data(), low.data(), own_scales.data(), sums.data(),
                              half_sums.data()},
                             {0, 5 * 32});
      const kernels::StoredPiece piece{dtype, weight.pieces()[0].bytes.data(),
                                       static_cast<std::int64_t>(weight.pieces()[0].bytes.size()) / 21, 21, 0};
      const at::Tensor out = at::empty({5, 21});
      set->stored_rows({.input = input.data_ptr<float>(),
                        .pieces = &piece,
                        .piece_count = 1,
                        .output = out.data_ptr<float>(),
                        .rows = 5,
                        .width = 1024,
                        .outputs = 21,
                        .high = high.data(),
                        .low = low.data(),
                        .scales = own_scales.data(),
                        .sums = sums.data(),
                        .half_sums = half_sums.data()},
                       {0, 21});
      CHECK((out.to(at::kDouble) - exact).abs().max().item<double>() / size <
            1e-3);  // a number at a half may go either way
    }
  }
}

TEST_CASE("matrix: products with activations in bf16 and fp16 are fp32's, rounded once, whoever stands beside a row") {
  c10::InferenceMode guard;
  at::manual_seed(8);
  const Matrix::Piece piece = piece_of(StoredDtype::kQ4_K, 40, 512);
  for (const at::ScalarType type : {at::kBFloat16, at::kHalf}) {
    const Matrix weight({piece}, 512, type), wide({piece}, 512, at::kFloat);
    for (const std::int64_t rows : {2, 12}) {
      const at::Tensor input = at::randn({rows, 512}).to(type);
      at::Tensor out = at::empty({rows, 40}, at::TensorOptions().dtype(type)), exact = at::empty({rows, 40});
      kernels::linear(out, input, weight, {});
      kernels::linear(exact, input.to(at::kFloat), wide, {});
      if (rows > kernels::kFewRows) CHECK(at::equal(out, exact.to(type)));
      // Few rows are rounded to 16 bits on the way.
      const double size = exact.abs().max().item<double>();
      CHECK((out.to(at::kFloat) - exact).abs().max().item<double>() / size < (type == at::kHalf ? 1e-3 : 5e-3));
      at::Tensor alone = at::empty({1, 40}, at::TensorOptions().dtype(type));
      kernels::linear(alone, input.narrow(0, 1, 1), weight, {});
      if (rows <= kernels::kFewRows) CHECK(at::equal(alone[0], out[1]));
    }
  }
}

TEST_CASE("matrix: one row is copied out in the compute dtype") {
  c10::InferenceMode guard;
  const Matrix::Piece piece = piece_of(StoredDtype::kQ5_K, 9, 256);
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const Matrix table({piece}, 256, type);
    at::Tensor row = at::empty({256}, at::TensorOptions().dtype(type));
    table.copy_row(7, row.data_ptr());
    CHECK(at::equal(row, table.widened()[7].to(type)));
  }
}
