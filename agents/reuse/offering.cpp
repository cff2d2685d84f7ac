#include "agents/reuse/offering.hpp"

#include <utility>

#include "agents/publish.hpp"
#include "base/error.hpp"

namespace kvmesh::agents {

Offering::Offering(bus::Node& node, std::size_t sent_bytes, std::function<void(std::function<void()>)> apart)
    : node_(node), apart_(std::move(apart)), sent_(sent_bytes) {}

void Offering::add_edge(std::string topic, std::string offer_topic) {
  edges_.push_back({std::move(topic), std::move(offer_topic)});
}

std::optional<std::size_t> Offering::edge_of(const std::string& offer_topic) const {
  for (std::size_t i = 0; i < edges_.size(); ++i)
    if (!offer_topic.empty() && edges_[i].offer_topic == offer_topic) return i;
  return std::nullopt;
}

void Offering::on_subscription(const std::string& topic, bool open) {
  if (const auto edge = edge_of(topic)) offers_.set_keeps(*edge, open);
}

std::optional<Agent::Failure> Offering::on_back(const bus::CameBack& back) {
  const std::optional<std::size_t> edge = edge_of(back.topic);
  if (!edge) return std::nullopt;
  wire::Back said = wire::decode_back(back.body);
  if (const auto* again = std::get_if<wire::Again>(&said)) return send_again(*edge, *again);
  if (const auto* done = std::get_if<wire::Done>(&said)) sent_.done(*edge, done->request);
  if (auto* held = std::get_if<wire::Held>(&said)) offers_.answered(*edge, std::move(*held));
  return std::nullopt;
}

std::optional<Agent::Failure> Offering::send_again(std::size_t edge, const wire::Again& again) {
  SentKv::Make make = sent_.find(edge, again);
  if (!make)
    return Agent::Failure{again.request, ErrorKind::kReconnect,
                          cat("message ", again.sequence, " on ", edges_[edge].topic,
                              " was asked for again, and is not here any more")};
  apart_([this, edge, make = std::move(make)] { publish(node_, edges_[edge].topic, make()); });
  return std::nullopt;
}

std::size_t Offering::offer(std::size_t edge, const wire::Offer& offer) {
  if (!offers_.keeps(edge)) return 0;
  std::vector<OwnedBytes> frames = wire::encode_offer(offer);
  const std::size_t bytes = edges_[edge].offer_topic.size() + total_size(frames);
  offers_.offered(edge, offer.request);
  node_.publish(edges_[edge].offer_topic, std::move(frames));
  return bytes;
}

KvReuse Offering::hooks() {
  return {.offer = [this](std::size_t edge, const wire::Offer& blocks) { return offer(edge, blocks); },
          .held = [this](std::size_t edge, const std::string& request) { return offers_.held(edge, request); },
          .sent = [this](std::size_t edge, const std::string& request, std::uint32_t sequence, std::size_t bytes,
                         SentKv::Make make) { sent_.sent(edge, request, sequence, bytes, std::move(make)); }};
}

}  // namespace kvmesh::agents
