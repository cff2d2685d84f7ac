#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agents/agent.hpp"
#include "agents/reuse/block_offers.hpp"
#include "agents/reuse/kv_reuse.hpp"
#include "agents/reuse/sent_kv.hpp"
#include "bus/node.hpp"

namespace kvmesh::agents {

/// The sender's end of offers on a node. Offers travel on topics of their own beside those of the edges, to which only
/// receivers that keep blocks subscribe. Events come from the thread that handles the node's; hooks() are for the one
/// that computes.
class Offering {
 public:
  /// `node` outlives this. `sent_bytes`: of rows that may be asked for again, see SentKv. `apart` runs what may have to
  /// wait for room on the way, and throw Error then.
  Offering(bus::Node& node, std::size_t sent_bytes, std::function<void(std::function<void()>)> apart);

  /// The next outbound edge, in order; all of them before the first event. `offer_topic`: empty for an edge without
  /// offers, which is one that carries no kv.
  void add_edge(std::string topic, std::string offer_topic);

  void on_subscription(const std::string& topic, bool open);
  /// What a receiver sent back; what is not for an edge of ours is another sender's. Gives the request that has failed
  /// where a message is asked for that is not here any more. Throws Error{kReconnect} for what cannot be read.
  std::optional<Agent::Failure> on_back(const bus::CameBack& back);
  /// The request was given up.
  void forget(const std::string& request) { sent_.forget(request); }

  KvReuse hooks();

 private:
  struct Edge {
    std::string topic, offer_topic;
  };

  std::optional<std::size_t> edge_of(const std::string& offer_topic) const;
  std::size_t offer(std::size_t edge, const wire::Offer& offer);
  std::optional<Agent::Failure> send_again(std::size_t edge, const wire::Again& again);

  bus::Node& node_;
  const std::function<void(std::function<void()>)> apart_;
  std::vector<Edge> edges_;
  BlockOffers offers_;
  SentKv sent_;
};

}  // namespace kvmesh::agents
