// Rows in 8 and 4 bits: against the formula written out in double precision, and scalar loops against vector loops.

#include "kvcodec/quantize.hpp"

#include <ATen/ATen.h>

#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "kvcodec/decode.hpp"
#include "kvcodec/encode.hpp"
#include "tests/kvcodec/wire_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::test;
using kvcodec::QuantKernels;
using kvcodec::QuantShape;

namespace {

/// Shapes with whole groups, short last groups, one row, odd widths, more heads than are taken at once.
const std::vector<QuantShape> kShapes{
    {.rows = 64, .heads = 2, .head_dim = 64},  {.rows = 130, .heads = 3, .head_dim = 32},
    {.rows = 1, .heads = 1, .head_dim = 2},    {.rows = 7, .heads = 2, .head_dim = 80},
    {.rows = 65, .heads = 1, .head_dim = 128}, {.rows = 33, .heads = 2, .head_dim = 6},
    {.rows = 70, .heads = 19, .head_dim = 64}, {.rows = 3, .heads = 2, .head_dim = 1024},
    {.rows = 9, .heads = 5, .head_dim = 202}};

/// Codes, scales and zeros of one tensor.
struct Packed {
  explicit Packed(const QuantShape& shape, bool keys)
      : codes(static_cast<std::size_t>(shape.rows * shape.row_codes())),
        scales(static_cast<std::size_t>(keys ? shape.key_scales() : shape.value_scales())),
        zeros(scales.size()) {}
  kvcodec::QuantView view() { return {codes.data(), scales.data(), zeros.data()}; }
  bool operator==(const Packed&) const = default;

  std::vector<std::uint8_t> codes;
  std::vector<std::uint16_t> scales, zeros;
};

at::Tensor numbers(const QuantShape& shape, at::ScalarType dtype) {
  const at::Tensor spread = at::randn({1, shape.heads, shape.head_dim}).exp();  // channels of different width
  return (at::randn({shape.rows, shape.heads, shape.head_dim}) * spread + 3 * spread).to(dtype).contiguous();
}

std::uint16_t* bits_of(const at::Tensor& bf16) { return reinterpret_cast<std::uint16_t*>(bf16.data_ptr()); }

kvcodec::LayerKv through_the_wire(const kvcodec::LayerKv& layer, wire::WireDtype dtype) {
  const auto message =
      wire::decode_message(kvcodec::address_rows(kvcodec::pack_rows(layer, dtype), example_envelope()).sealed());
  return kvcodec::decode_layer(message, layer.keys.size(1), layer.keys.size(2));
}

/// The greatest distance of any number from its nearest code, in steps of its group: range / (levels) each.
double worst_step(const at::Tensor& want, const at::Tensor& got, const at::Tensor& low, const at::Tensor& high,
                  int levels) {
  const at::Tensor step = ((high - low) / levels).clamp_min(1e-30);
  return ((want - got).abs() / step).max().item<double>();
}

}  // namespace

namespace {

template <typename Element>
void check_same_bits(const QuantKernels& scalar, const QuantKernels& other, const QuantShape& shape, bool keys,
                     const at::Tensor& x) {
  constexpr bool kNarrow = sizeof(Element) == 2;
  const auto run = [&](const QuantKernels& kernels, Packed& packed, at::Tensor& back) {
    auto* from = static_cast<const Element*>(x.data_ptr());
    auto* to = static_cast<Element*>(back.data_ptr());
    if constexpr (kNarrow) {
      REQUIRE((keys ? kernels.keys_from_bf16 : kernels.values_from_bf16)(from, shape, packed.view()));
      (keys ? kernels.keys_to_bf16 : kernels.values_to_bf16)(packed.view(), shape, to);
    } else {
      REQUIRE((keys ? kernels.keys_from_fp32 : kernels.values_from_fp32)(from, shape, packed.view()));
      (keys ? kernels.keys_to_fp32 : kernels.values_to_fp32)(packed.view(), shape, to);
    }
  };
  Packed a(shape, keys), b(shape, keys);
  at::Tensor back_a = at::empty_like(x), back_b = at::empty_like(x);
  run(scalar, a, back_a);
  run(other, b, back_b);
  CHECK(a == b);
  CHECK(std::memcmp(back_a.data_ptr(), back_b.data_ptr(), back_a.nbytes()) == 0);
}

}  // namespace

TEST_CASE("vector loops give the same bits as scalar ones, in and out, for bf16 and fp32") {
  at::manual_seed(1);
  for (const QuantKernels* kernels : kvcodec::runnable_quant_kernels()) {
    for (QuantShape shape : kShapes) {
      for (int bits : {8, 4}) {
        for (bool keys : {true, false}) {
          INFO(to_string(kernels->instruction_set) << ", int" << bits << (keys ? " keys [" : " values [") << shape.rows
                                                   << ", " << shape.heads << ", " << shape.head_dim << "]");
          shape.bits = bits;
          const at::Tensor wide = numbers(shape, at::kFloat);
          check_same_bits<float>(*kvcodec::runnable_quant_kernels().back(), *kernels, shape, keys, wide);
          check_same_bits<std::uint16_t>(*kvcodec::runnable_quant_kernels().back(), *kernels, shape, keys,
                                         wide.to(at::kBFloat16));
        }
      }
    }
  }
}

TEST_CASE("vector loops see one number that fp16 cannot express, wherever it stands") {
  for (const QuantKernels* kernels : kvcodec::runnable_quant_kernels()) {
    for (QuantShape shape : kShapes) {
      const at::Tensor rows = numbers(shape, at::kBFloat16).clamp(-1e4, 1e4);
      for (const std::int64_t at : {std::int64_t{0}, rows.numel() / 2, rows.numel() - 1}) {
        const at::Tensor bad = rows.clone();
        bad.view(-1)[at] = at % 2 == 0 ? std::nanf("") : -1e5F;
        Packed k(shape, true), v(shape, false);
        CHECK_FALSE(kernels->keys_from_bf16(bits_of(bad), shape, k.view()));
        CHECK_FALSE(kernels->values_from_bf16(bits_of(bad), shape, v.view()));
      }
    }
  }
}

TEST_CASE(
    "keys err by about half a step of their channel's range in 64 tokens, values of their token's in 64 channels") {
  at::manual_seed(2);
  for (QuantShape shape : kShapes) {
    for (int bits : {8, 4}) {
      shape.bits = bits;
      const at::Tensor want = numbers(shape, at::kFloat);
      at::Tensor keys = at::empty_like(want), values = at::empty_like(want);
      Packed k(shape, true), v(shape, false);
      const QuantKernels& run = kvcodec::quant_kernels();
      REQUIRE(run.keys_from_fp32(want.data_ptr<float>(), shape, k.view()));
      REQUIRE(run.values_from_fp32(want.data_ptr<float>(), shape, v.view()));
      run.keys_to_fp32(k.view(), shape, keys.data_ptr<float>());
      run.values_to_fp32(v.view(), shape, values.data_ptr<float>());
      const int levels = (1 << bits) - 1;
      // Beyond half a step: scale and zero are rounded outwards to fp16, 2^-10 of their size.
      for (std::int64_t first = 0; first < shape.rows; first += 64) {
        const std::int64_t count = std::min<std::int64_t>(64, shape.rows - first);
        const at::Tensor part = want.narrow(0, first, count), low = part.amin(0, true), high = part.amax(0, true);
        const at::Tensor slack = at::maximum(low.abs(), high.abs()) * 0x1p-9;
        CHECK(worst_step(part, keys.narrow(0, first, count), low - slack, high + slack, levels) < 0.52);
      }
      for (std::int64_t first = 0; first < shape.head_dim; first += 64) {
        const std::int64_t count = std::min<std::int64_t>(64, shape.head_dim - first);
        const at::Tensor part = want.narrow(2, first, count), low = part.amin(2, true), high = part.amax(2, true);
        const at::Tensor slack = at::maximum(low.abs(), high.abs()) * 0x1p-9;
        CHECK(worst_step(part, values.narrow(2, first, count), low - slack, high + slack, levels) < 0.52);
      }
    }
  }
}

TEST_CASE("a group of equal numbers comes back as fp16 holds them") {
  const at::Tensor same = at::full({5, 1, 4}, -2.5);
  for (const auto dtype : {wire::WireDtype::kInt8, wire::WireDtype::kInt4}) {
    const auto got = through_the_wire({same, same, {{.first = 0, .count = 5}}}, dtype);
    CHECK(at::equal(got.keys.to(at::kFloat), same));
    CHECK(at::equal(got.values.to(at::kFloat), same));
  }
}

TEST_CASE("int8 rows take a little over half the bytes of bf16, int4 rows a little over a quarter") {
  const at::Tensor rows = at::randn({512, 8, 64}).to(at::kBFloat16);
  const auto bytes = [&](wire::WireDtype dtype) {
    std::size_t sum = 0;
    for (const OwnedBytes& frame : kvcodec::pack_rows({rows, rows, {{.first = 0, .count = 512}}}, dtype).payload)
      sum += frame.size();
    return static_cast<double>(sum);
  };
  const double plain = bytes(wire::WireDtype::kSame);
  CHECK(bytes(wire::WireDtype::kInt8) / plain == Approx(0.5 + 1.0 / 32));
  CHECK(bytes(wire::WireDtype::kInt4) / plain == Approx(0.25 + 1.0 / 32));
}

TEST_CASE("bf16 and fp16 on the wire are what a conversion gives") {
  const at::Tensor keys = at::randn({9, 2, 8}), values = at::randn({9, 2, 8});
  const kvcodec::LayerKv layer{keys, values, {{.first = 0, .count = 9}}};
  for (const auto& [wire, dtype] :
       {std::pair(wire::WireDtype::kBFloat16, at::kBFloat16), std::pair(wire::WireDtype::kFloat16, at::kHalf)}) {
    const kvcodec::LayerKv got = through_the_wire(layer, wire);
    CHECK(at::equal(got.keys, keys.to(dtype)));
    CHECK(at::equal(got.values, values.to(dtype)));
  }
}

TEST_CASE("rows written straight into a cache are those that decoding gives") {
  at::manual_seed(3);
  const at::Tensor rows = at::randn({70, 2, 16}).to(at::kBFloat16);
  for (const auto dtype : {wire::WireDtype::kSame, wire::WireDtype::kInt8, wire::WireDtype::kInt4}) {
    const auto message = wire::decode_message(
        kvcodec::address_rows(kvcodec::pack_rows({rows, rows, {{.first = 0, .count = 70}}}, dtype), example_envelope())
            .sealed());
    const kvcodec::LayerKv want = kvcodec::decode_layer(message, 2, 16);
    at::Tensor keys = at::empty_like(rows), values = at::empty_like(rows);
    kvcodec::decode_layer_into(message, keys, values);
    CHECK(at::equal(keys, want.keys));
    CHECK(at::equal(values, want.values));
  }
}

TEST_CASE("rows of some heads are those heads of the whole rows, bit for bit, and zero at the others") {
  at::manual_seed(4);
  const at::Tensor keys = at::randn({70, 5, 16}).to(at::kBFloat16), values = at::randn_like(keys);
  const kvcodec::LayerKv layer{keys, values, {{.first = 0, .count = 70}}};
  wire::Envelope some = example_envelope();
  some.heads = {1, 4};
  for (const auto dtype :
       {wire::WireDtype::kSame, wire::WireDtype::kFloat16, wire::WireDtype::kInt8, wire::WireDtype::kInt4}) {
    const kvcodec::LayerKv whole = through_the_wire(layer, dtype);
    const auto message = wire::read_message(
        kvcodec::address_rows(kvcodec::pack_rows(kvcodec::only_heads(layer, some.heads), dtype), some).sealed());
    at::Tensor got_keys = at::full({70, 5, 16}, 7, at::kFloat), got_values = got_keys.clone();
    kvcodec::check_and_decode_layer_into(message, got_keys, got_values);
    for (const std::int64_t head : {0, 1, 2, 3, 4}) {
      const bool there = head == 1 || head == 4;
      CHECK(at::equal(got_keys.select(1, head), whole.keys.select(1, head).to(at::kFloat) * (there ? 1 : 0)));
      CHECK(at::equal(got_values.select(1, head), whole.values.select(1, head).to(at::kFloat) * (there ? 1 : 0)));
    }
  }
}

TEST_CASE("rows of a head that the receiver does not have, or of more heads than they name, are refused") {
  const at::Tensor rows = at::randn({5, 2, 8});
  for (const auto& [heads, says] : {std::pair(std::vector<std::int32_t>{0, 4}, "KV head 4"),
                                    std::pair(std::vector<std::int32_t>{1}, "2 kv heads of dimension 8")}) {
    wire::Envelope envelope = example_envelope();
    envelope.heads = heads;
    const auto message = wire::decode_message(
        kvcodec::address_rows(kvcodec::pack_rows({rows, rows, {{.first = 0, .count = 5}}}, wire::WireDtype::kSame),
                              envelope)
            .sealed());
    CHECK_THAT(error_of([&] { kvcodec::decode_layer(message, 4, 8); }), holds(says));
  }
}

TEST_CASE("numbers that fp16 scales cannot express are refused, and say which form can") {
  for (const float bad : {70000.0F, -70000.0F, std::nanf(""), HUGE_VALF}) {
    at::Tensor rows = at::zeros({3, 1, 4});
    rows[1][0][2] = bad;
    const auto pack = [](const at::Tensor& keys, const at::Tensor& values) {
      kvcodec::pack_rows({keys, values, {{.first = 0, .count = 3}}}, wire::WireDtype::kInt8);
    };
    CHECK_THAT(error_of([&] { pack(rows, at::zeros({3, 1, 4})); }), holds("wire: same or bf16"));
    CHECK_THAT(error_of([&] { pack(at::zeros({3, 1, 4}), rows); }), holds("wire: same or bf16"));
  }
}

TEST_CASE("quantised tensors of another shape than the receiver's are refused") {
  const at::Tensor rows = at::randn({5, 2, 8});
  const auto message = wire::decode_message(
      kvcodec::address_rows(kvcodec::pack_rows({rows, rows, {{.first = 0, .count = 5}}}, wire::WireDtype::kInt8),
                            example_envelope())
          .sealed());
  CHECK_THAT(error_of([&] { kvcodec::decode_layer(message, 4, 4); }), holds("int8") && holds("reader -> solver"));
  wire::WireMessage torn = message;
  torn.envelope.tensors[1].shape[0] = 2;
  CHECK_THAT(error_of([&] { kvcodec::decode_layer(torn, 2, 8); }), holds("int8"));
}
