#include <ATen/ATen.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>

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
constexpr Size kSizes[] = {{"64 KiB", 64 << 10}, {"1 MiB", kMiB}, {"16 MiB", 16 * kMiB}, {"64 MiB", 64 * kMiB}};

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

/// The frame size at which raw ZeroMQ moves messages of `message` bytes fastest, in this run.
std::size_t best_frame(RawStream& raw, std::size_t message, std::size_t run_bytes) {
  std::size_t best = message;
  double fastest = 0;
  for (std::size_t frame = 256 << 10; frame <= 16 * kMiB; frame *= 2) {
    if (frame > message) break;
    raw.run(run_bytes, frame);
    const double speed = median({raw.run(run_bytes, frame), raw.run(run_bytes, frame), raw.run(run_bytes, frame)});
    if (speed > fastest) best = frame;
    fastest = std::max(fastest, speed);
  }
  return best;
}

void measure_sockets(const std::string& transport, int receivers, const Emit& emit) {
  const Scratch scratch;
  RawStream raw(raw_endpoint(transport, scratch, "raw"), receivers, /*checks=*/false);
  OurStream ours(transport, scratch, receivers);
  const std::string to = receivers == 1 ? "" : cat(" to ", receivers);
  for (const Size& size : kSizes) {
    const std::size_t bytes = bytes_in_a_run(kSocketRun, size.bytes, receivers);
    const std::size_t frame = best_frame(raw, size.bytes, bytes);
    const RowSpec spec{.name = cat(transport, ' ', size.name, to),
                       .unit = "GB/s",
                       .bar = size.bytes >= kMiB ? 0.95 : 0,
                       .note = cat("raw ZeroMQ, frames of ", frame >> 10, " KiB")};
    emit(compare(
        spec, [&] { return ours.run(bytes, size.bytes) / 1e9; }, [&] { return raw.run(bytes, frame) / 1e9; }));
  }
  // Without a bar: it says how much of what is missing is the checksum.
  RawStream checked(raw_endpoint(transport, scratch, "checked"), receivers, /*checks=*/true);
  const std::size_t bytes = bytes_in_a_run(kSocketRun, 16 * kMiB, receivers);
  const RowSpec spec{.name = cat(transport, " 16 MiB", to, ", checked"),
                     .unit = "GB/s",
                     .note = "raw ZeroMQ with our checksum at both ends, frames of 1024 KiB"};
  emit(compare(
      spec, [&] { return ours.run(bytes, 16 * kMiB) / 1e9; }, [&] { return checked.run(bytes, kMiB) / 1e9; }));
}

void measure_shared_memory(int receivers, const Emit& emit) {
  const Scratch scratch;
  ArenaCopy copy;
  OurStream ours("shm", scratch, receivers);
  for (const Size& size : kSizes) {
    const std::size_t bytes = bytes_in_a_run(kSharedRun, size.bytes, receivers);
    const RowSpec spec{.name = cat("shm ", size.name, receivers == 1 ? "" : cat(" to ", receivers)),
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
