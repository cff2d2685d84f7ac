#pragma once

#include <cstddef>
#include <cstdint>

/// The numbers of the wire. docs/wire.md gives their reasons.
namespace kvmesh::wire {

inline constexpr int kProtocolVersion = 2;
inline constexpr std::size_t kMaxEnvelopeBytes = 64 * 1024;
inline constexpr int kMaxEnvelopeDepth = 8;
inline constexpr std::size_t kMaxTensorRank = 4;
inline constexpr std::size_t kMaxTensors = 8;
inline constexpr std::size_t kMaxPositionRanges = 1024;
inline constexpr std::size_t kMaxHeads = 4096;
inline constexpr std::int64_t kMaxTensorElements = std::int64_t{1} << 40;
inline constexpr std::uint32_t kMaxMessagesPerRequest = 1 << 20;

}  // namespace kvmesh::wire
