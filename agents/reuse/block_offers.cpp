#include "agents/reuse/block_offers.hpp"

#include <algorithm>
#include <utility>

namespace kvmesh::agents {

void BlockOffers::set_keeps(std::size_t edge, bool keeps) {
  const std::lock_guard lock(mutex_);
  if (keeps) keeps_.insert(edge);
  else keeps_.erase(edge);
}

bool BlockOffers::keeps(std::size_t edge) const {
  const std::lock_guard lock(mutex_);
  return keeps_.contains(edge);
}

std::deque<BlockOffers::Offered>::iterator BlockOffers::find(std::size_t edge, const std::string& request) {
  return std::find_if(offers_.begin(), offers_.end(),
                      [&](const Offered& one) { return one.edge == edge && one.request == request; });
}

void BlockOffers::offered(std::size_t edge, const std::string& request) {
  const std::lock_guard lock(mutex_);
  if (offers_.size() >= kMostOffers) offers_.pop_front();
  offers_.push_back(
      {.edge = edge, .request = request, .until = Clock::now() + kPatience, .answered = false, .held = {}});
}

void BlockOffers::answered(std::size_t edge, wire::Held held) {
  const std::lock_guard lock(mutex_);
  const auto offer = find(edge, held.request);
  if (offer == offers_.end()) return;
  offer->answered = true;
  offer->held = std::move(held.blocks);
  changed_.notify_all();
}

std::vector<std::int64_t> BlockOffers::held(std::size_t edge, const std::string& request) {
  std::unique_lock lock(mutex_);
  auto offer = find(edge, request);
  if (offer == offers_.end()) return {};
  const Clock::time_point until = offer->until;
  changed_.wait_until(lock, until, [&] {
    offer = find(edge, request);
    return offer == offers_.end() || offer->answered;
  });
  if (offer == offers_.end()) return {};
  std::vector<std::int64_t> held = std::move(offer->held);
  offers_.erase(offer);
  return held;
}

}  // namespace kvmesh::agents
