#include "agents/block_offers.hpp"

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

void BlockOffers::offered(std::size_t edge, const std::string& request) {
  const std::lock_guard lock(mutex_);
  // A turn that ended before it asked for its answer leaves its offer behind.
  std::erase_if(offers_, [now = Clock::now()](const auto& offer) { return offer.second.until + kPatience < now; });
  offers_[{edge, request}] = {.until = Clock::now() + kPatience, .answered = false, .held = {}};
}

void BlockOffers::answered(std::size_t edge, wire::Held held) {
  const std::lock_guard lock(mutex_);
  const auto offer = offers_.find({edge, held.request});
  if (offer == offers_.end()) return;
  offer->second.answered = true;
  offer->second.held = std::move(held.blocks);
  changed_.notify_all();
}

std::vector<std::int64_t> BlockOffers::held(std::size_t edge, const std::string& request) {
  std::unique_lock lock(mutex_);
  const auto answered = [&] {
    const auto offer = offers_.find({edge, request});
    return offer == offers_.end() || offer->second.answered;
  };
  const auto offer = offers_.find({edge, request});
  if (offer == offers_.end()) return {};
  changed_.wait_until(lock, Clock::time_point(offer->second.until), answered);
  auto node = offers_.extract({edge, request});
  return node.empty() ? std::vector<std::int64_t>() : std::move(node.mapped().held);
}

}  // namespace kvmesh::agents
