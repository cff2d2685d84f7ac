#include "kvcodec/positions.hpp"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <complex>

#include "tests/kvcodec/wire_fixture.hpp"

using namespace kvmesh;
using namespace kvmesh::test;
using kvcodec::rotate_keys;
using Positions = std::vector<std::int64_t>;
using Ranges = std::vector<wire::PositionRange>;

namespace {

at::Tensor frequencies(std::int64_t rotary_dim) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < rotary_dim / 2; ++i) {
    values.push_back(std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(rotary_dim)));
  }
  return at::tensor(values, at::kFloat);
}

/// RoPE from its definition: each pair of elements is a complex number, turned by position * frequency, in double.
at::Tensor rope(const at::Tensor& plain, const Positions& positions, const at::Tensor& inv_freq) {
  at::Tensor rotated = plain.to(at::kDouble).clone();
  const std::int64_t half = inv_freq.size(0);
  auto values = rotated.accessor<double, 3>();
  for (std::int64_t token = 0; token < plain.size(0); ++token) {
    for (std::int64_t head = 0; head < plain.size(1); ++head) {
      for (std::int64_t i = 0; i < half; ++i) {
        const double angle = static_cast<double>(positions[static_cast<std::size_t>(token)]) *
                             static_cast<double>(inv_freq[i].item<float>());
        const auto turned =
            std::complex<double>(values[token][head][i], values[token][head][i + half]) * std::polar(1.0, angle);
        values[token][head][i] = turned.real();
        values[token][head][i + half] = turned.imag();
      }
    }
  }
  return rotated.to(at::kFloat);
}

double largest_difference(const at::Tensor& left, const at::Tensor& right) {
  return (left.to(at::kDouble) - right.to(at::kDouble)).abs().max().item<double>();
}

}  // namespace

TEST_CASE("rotated keys are those of a prefill at the shifted positions") {
  at::manual_seed(5);
  const Positions positions{0, 1, 2, 9, 700};
  for (std::int64_t rotary_dim : {16, 8}) {
    const at::Tensor plain = at::randn({5, 2, 16});
    const at::Tensor inv_freq = frequencies(rotary_dim);
    for (std::int64_t delta : {1, 37, 3000, 100000, -2}) {
      Positions shifted = positions;
      for (std::int64_t& position : shifted) position += delta;
      const at::Tensor rotated = rotate_keys(rope(plain, positions, inv_freq), delta, inv_freq);
      CHECK(largest_difference(rotated, rope(plain, shifted, inv_freq)) < 1e-5);
    }
  }
}

TEST_CASE("elements beyond the rotary ones stay as they are, bit for bit") {
  const at::Tensor keys = at::randn({3, 2, 16});
  const at::Tensor rotated = rotate_keys(keys, 11, frequencies(8));
  CHECK(at::equal(rotated.narrow(2, 8, 8), keys.narrow(2, 8, 8)));
  CHECK_FALSE(at::equal(rotated.narrow(2, 0, 8), keys.narrow(2, 0, 8)));
}

TEST_CASE("rotated keys keep their dtype, and the given ones are not written to") {
  const at::Tensor keys = at::randn({3, 2, 16}).to(at::kBFloat16);
  const at::Tensor before = keys.clone();
  const at::Tensor rotated = rotate_keys(keys, 11, frequencies(16));
  CHECK(rotated.scalar_type() == at::kBFloat16);
  CHECK(at::equal(keys, before));
  const at::Tensor wanted = rotate_keys(keys.to(at::kFloat), 11, frequencies(16));
  CHECK(at::equal(rotated, wanted.to(at::kBFloat16)));
}

TEST_CASE("a rotation by nothing gives the keys themselves") {
  const at::Tensor keys = at::randn({3, 2, 16});
  CHECK(rotate_keys(keys, 0, frequencies(16)).data_ptr() == keys.data_ptr());
}

TEST_CASE("keys and frequencies that do not fit are refused with the numbers") {
  CHECK_THAT(error_of([] { rotate_keys(at::randn({3, 2, 8}), 1, frequencies(16)); }), holds("16") && holds("8"));
  CHECK_THAT(error_of([] { rotate_keys(at::randn({3, 8}), 1, frequencies(8)); }), holds("2 and 1"));
}

TEST_CASE("positions become ranges and come back") {
  const Positions positions{0, 5, 6, 7, 9, 8};
  const Ranges ranges = kvcodec::compress_positions(positions);
  CHECK(ranges == Ranges{{0, 1}, {5, 3}, {9, 1}, {8, 1}});
  CHECK(kvcodec::expand_positions(ranges) == positions);
  CHECK(kvcodec::count_positions(ranges) == 6);
  CHECK(kvcodec::compress_positions({}).empty());
  CHECK(kvcodec::count_positions({}) == 0);
}

TEST_CASE("ranges are shifted, but not to before the beginning") {
  const Ranges ranges{{3, 2}, {9, 1}};
  CHECK(kvcodec::shift_positions(ranges, 4) == Ranges{{7, 2}, {13, 1}});
  CHECK(kvcodec::shift_positions(ranges, -3) == Ranges{{0, 2}, {6, 1}});
  CHECK_THAT(error_of([&] { kvcodec::shift_positions(ranges, -4); }), holds("3") && holds("-4"));
}
