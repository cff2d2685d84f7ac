#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <chrono>
#include <vector>

#include "base/error.hpp"
#include "bench/transport/arena_copy.hpp"
#include "bench/transport/transport.hpp"
#include "kvcodec/decode.hpp"
#include "kvcodec/encode.hpp"

namespace kvmesh::bench {
namespace {

constexpr std::int64_t kRows = 512, kHeads = 8, kHeadDim = 64;

/// Pieces of one layer after the other, all together larger than the last-level cache.
class Pieces {
 public:
  explicit Pieces(wire::WireDtype dtype) : dtype_(dtype) {
    c10::InferenceMode guard;
    const at::Tensor example = at::randn({kRows, kHeads, kHeadDim}).to(at::kBFloat16);
    piece_bytes_ = 2 * example.nbytes();
    const std::size_t count = arena_bytes() / piece_bytes_ + 1;
    wire::Envelope envelope;
    envelope.mesh = envelope.from = envelope.to = envelope.request = "bench";
    envelope.count = 1;
    envelope.layer = 0;
    for (std::size_t i = 0; i < count; ++i) {
      layers_.push_back({example.clone(), example.clone(), {{.first = 0, .count = kRows}}});
      to_.push_back({at::zeros_like(example), at::zeros_like(example), {}});
      messages_.push_back(
          wire::decode_message(kvcodec::address_rows(kvcodec::pack_rows(layers_[i], dtype), envelope).sealed()));
    }
  }

  /// Bytes of bf16 a second.
  double encode() {
    return timed([&](std::size_t i) { kvcodec::pack_rows(layers_[i], dtype_).checksum->get(); });
  }
  double decode() {
    return timed([&](std::size_t i) { kvcodec::decode_layer_into(messages_[i], to_[i].keys, to_[i].values); });
  }
  std::size_t bytes() const { return piece_bytes_ * layers_.size(); }
  std::size_t piece_bytes() const { return piece_bytes_; }

 private:
  template <typename Work>
  double timed(Work work) {
    const auto begin = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < layers_.size(); ++i) work(i);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    return static_cast<double>(bytes()) / took.count();
  }

  wire::WireDtype dtype_;
  std::size_t piece_bytes_ = 0;
  std::vector<kvcodec::LayerKv> layers_, to_;
  std::vector<wire::WireMessage> messages_;
};

}  // namespace

void measure_quantization(const Emit& emit) {
  ArenaCopy copy;
  for (const auto dtype : {wire::WireDtype::kInt8, wire::WireDtype::kInt4}) {
    Pieces pieces(dtype);
    const auto reference = [&] { return copy.run(pieces.bytes(), pieces.piece_bytes()) / 1e9; };
    emit(compare(
        {.name = cat(wire::to_string(dtype), " encode"), .unit = "GB/s of bf16", .bar = 0.25, .note = "arena copy"},
        [&] { return pieces.encode() / 1e9; }, reference));
    emit(compare(
        {.name = cat(wire::to_string(dtype), " decode"), .unit = "GB/s of bf16", .bar = 0.35, .note = "arena copy"},
        [&] { return pieces.decode() / 1e9; }, reference));
  }
}

}  // namespace kvmesh::bench
