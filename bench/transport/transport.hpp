#pragma once

#include "bench/row.hpp"

/// What moving KV costs, beside the least that it could cost on this machine. Each function hands its rows to `emit` as
/// soon as they are measured.
namespace kvmesh::bench {

/// Messages of 64 KiB to 64 MiB through the codec and the bus, over ipc, tcp and shared memory, to one receiver and to
/// four. Reference over sockets: raw libzmq, XPUB and SUB, zero-copy, at the frame size that is fastest in this run.
/// Reference in shared memory: one thread that copies through an arena larger than the last-level cache, with the same
/// checksum.
void measure_streams(const Emit& emit);

/// Round trip of a small control message, p50 and p99, against raw ROUTER and DEALER with as many thread hand-offs.
void measure_control(const Emit& emit);

/// int8 and int4, in and out, in bytes of bf16 a second, against the arena copy.
void measure_quantization(const Emit& emit);

/// Turn 2 of a conversation: 2,000 tokens that were shared in turn 1, and 512 new ones. Bytes, the most of all runs,
/// against the rows of the new tokens alone; time, until the last row stands in the receiver's cache, against the same
/// turn where nothing is kept. A small model with random weights; both ends in this process, over ipc.
void measure_prefix_reuse(const Emit& emit);

/// A 1B model with random weights reads 1,024 tokens in one process and computes behind them in another, each on a core
/// of its own: seconds from the sender's start to the receiver's first token, against the longer of prefill and
/// transfer plus the receiver's own computing; and what the receiver takes beyond its cache. To be called while the
/// process has one thread: it forks.
void measure_overlap(const Emit& emit);

}  // namespace kvmesh::bench
