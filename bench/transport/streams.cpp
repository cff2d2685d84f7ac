#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "bench/transport/arena_copy.hpp"
#include "bench/transport/our_stream.hpp"
#include "bench/transport/raw_zmq.hpp"
#include "bench/transport/scratch.hpp"
#include "bench/transport/transport.hpp"

namespace kvmesh::bench {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

struct Size {
  const char* name;
  std::size_t bytes;
};
constexpr Size k16MiB = {"16 MiB", 16 * kMiB};
constexpr Size kSizes[] = {{"64 KiB", 64 << 10}, {"1 MiB", kMiB}, k16MiB, {"64 MiB", 64 * kMiB}};

std::string row_name(const std::string& transport, const Size& size, int receivers) {
  return cat(transport, ' ', size.name, receivers == 1 ? "" : cat(" to ", receivers));
}

/// What is moved in a run, to all receivers together: enough that starting, which takes up to a millisecond, does not
/// count, few enough that all runs take seconds.
constexpr std::size_t kSmallRun = 32 * kMiB, kSocketRun = 160 * kMiB, kSharedRun = 512 * kMiB;

std::size_t bytes_in_a_run(std::size_t most, std::size_t message, int receivers) {
  const std::size_t wanted = (message < kMiB ? kSmallRun : most) / static_cast<std::size_t>(receivers);
  return std::max<std::size_t>(1, wanted / message) * message;
}

std::string raw_endpoint(const std::string& transport, const Scratch& scratch, const std::string& name) {
  return transport == "tcp" ? cat("tcp://127.0.0.1:", free_tcp_port()) : cat("ipc://", scratch.path(), '/', name);
}

/// The frame size at which this reference moves messages of `message` bytes fastest.
std::size_t best_frame(RawStream& raw, std::size_t message, std::size_t run_bytes) {
  std::size_t best = message;
  double fastest = 0;
  for (std::size_t frame = 256 << 10; frame <= std::min(message, 16 * kMiB); frame *= 2) {
    const double speed = std::max(raw.run(run_bytes, frame), raw.run(run_bytes, frame));
    if (speed > fastest) best = frame;
    fastest = std::max(fastest, speed);
  }
  return best;
}

/// One size of message over sockets, beside raw ZeroMQ.
class SocketRow {
 public:
  /// `checked`: the reference computes checksums, and there is no bar. It says how much of what is missing is theirs.
  SocketRow(const std::string& transport, const Size& size, int receivers, bool checked)
      : bytes_(size.bytes),
        run_bytes_(bytes_in_a_run(kSocketRun, size.bytes, receivers)),
        checked_(checked),
        comparison_({.name = cat(row_name(transport, size, receivers), checked ? ", checked" : ""),
                     .unit = "GB/s",
                     .bar = checked || size.bytes < kMiB ? 0 : 0.95}) {}

  void run(int pairs, OurStream& ours, RawStream& raw) {
    const std::size_t frame = checked_ ? kMiB : best_frame(raw, bytes_, run_bytes_);
    smallest_frame_ = std::min(smallest_frame_, frame);
    largest_frame_ = std::max(largest_frame_, frame);
    comparison_.run(
        pairs, [&] { return ours.run(run_bytes_, bytes_) / 1e9; }, [&] { return raw.run(run_bytes_, frame) / 1e9; });
  }

  Row row() const {
    Row row = comparison_.row();
    row.note =
        cat("raw ZeroMQ", checked_ ? " with our checksum at both ends" : "", ", frames of ", smallest_frame_ >> 10);
    if (largest_frame_ > smallest_frame_) row.note += cat(" to ", largest_frame_ >> 10);
    row.note += " KiB";
    return row;
  }

  bool checked() const { return checked_; }

 private:
  std::size_t bytes_, run_bytes_;
  bool checked_;
  std::size_t smallest_frame_ = std::numeric_limits<std::size_t>::max(), largest_frame_ = 0;
  Comparison comparison_;
};

/// In several setups: where a stream's memory lies and on which cores its threads settle differ from setup to setup by
/// more than from run to run.
void measure_sockets(const std::string& transport, int receivers, const Emit& emit) {
  constexpr int kSetups = 3;
  std::vector<SocketRow> rows;
  for (const Size& size : kSizes) rows.emplace_back(transport, size, receivers, /*checked=*/false);
  rows.emplace_back(transport, k16MiB, receivers, /*checked=*/true);
  for (int setup = 0; setup < kSetups; ++setup) {
    const Scratch scratch;
    RawStream raw(raw_endpoint(transport, scratch, "raw"), receivers, /*checks=*/false);
    RawStream checked(raw_endpoint(transport, scratch, "checked"), receivers, /*checks=*/true);
    OurStream ours(transport, scratch, receivers);
    for (SocketRow& row : rows) row.run(kPairs / kSetups, ours, row.checked() ? checked : raw);
  }
  for (const SocketRow& row : rows) emit(row.row());
}

void measure_shared_memory(int receivers, const Emit& emit) {
  const Scratch scratch;
  ArenaCopy copy;
  OurStream ours("shm", scratch, receivers);
  for (const Size& size : kSizes) {
    const std::size_t bytes = bytes_in_a_run(kSharedRun, size.bytes, receivers);
    const RowSpec spec{.name = row_name("shm", size, receivers),
                       .unit = "GB/s",
                       .bar = size.bytes >= kMiB ? 0.8 : 0,
                       .note = receivers == 1 ? "arena copy" : cat(receivers, " arena copies")};
    const auto fans_out = static_cast<std::size_t>(receivers);
    emit(compare(
        spec, [&] { return ours.run(bytes, size.bytes) / 1e9; },
        [&] { return copy.run(bytes * fans_out, std::min(size.bytes, kMiB)) / static_cast<double>(receivers) / 1e9; }));
  }
}

}  // namespace

void measure_streams(const Emit& emit) {
  for (const char* transport : {"ipc", "tcp"})
    for (int receivers : {1, 4}) measure_sockets(transport, receivers, emit);
  for (int receivers : {1, 4}) measure_shared_memory(receivers, emit);
}

}  // namespace kvmesh::bench
