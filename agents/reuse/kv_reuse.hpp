#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "agents/reuse/sent_kv.hpp"
#include "kvcodec/wire/reuse.hpp"

namespace kvmesh::agents {

/// A turn's way to receivers that keep blocks of earlier requests. All three are set, or none; called on the thread
/// that takes the turn.
struct KvReuse {
  /// Tells the receiver of outbound edge number `edge`, where it keeps blocks, which ones the prompt begins with. Gives
  /// the bytes that left; 0: that receiver keeps none.
  std::function<std::size_t(std::size_t edge, const wire::Offer& offer)> offer;
  /// What it answered to the request's offer, see wire::Held; waits for that a moment. Empty: no answer.
  std::function<std::vector<std::int64_t>(std::size_t edge, const std::string& request)> held;
  /// As SentKv::sent(), of a message to a receiver that was offered: it may ask for it again.
  std::function<void(std::size_t edge, const std::string& request, std::uint32_t sequence, std::size_t bytes,
                     SentKv::Make make)>
      sent;
};

}  // namespace kvmesh::agents
