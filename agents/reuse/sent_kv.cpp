#include "agents/reuse/sent_kv.hpp"

#include <algorithm>
#include <utility>

namespace kvmesh::agents {

void SentKv::sent(std::size_t edge, const std::string& request, std::uint32_t sequence, Make make) {
  const std::lock_guard lock(mutex_);
  const auto of_edge = [&](const Request& one) { return one.edge == edge; };
  auto found = std::find_if(requests_.begin(), requests_.end(),
                            [&](const Request& one) { return of_edge(one) && one.name == request; });
  if (found == requests_.end() && sequence == 0) {
    if (std::count_if(requests_.begin(), requests_.end(), of_edge) >= static_cast<std::ptrdiff_t>(kMostRequests))
      requests_.erase(std::find_if(requests_.begin(), requests_.end(), of_edge));
    requests_.push_back({edge, request, {}});
    found = std::prev(requests_.end());
  }
  if (found != requests_.end()) found->messages.push_back(std::move(make));
}

SentKv::Make SentKv::find(std::size_t edge, const wire::Again& again) const {
  const std::lock_guard lock(mutex_);
  for (const Request& request : requests_)
    if (request.edge == edge && request.name == again.request && again.sequence < request.messages.size())
      return request.messages[again.sequence];
  return nullptr;
}

void SentKv::done(std::size_t edge, const std::string& request) {
  const std::lock_guard lock(mutex_);
  std::erase_if(requests_, [&](const Request& one) { return one.edge == edge && one.name == request; });
}

void SentKv::forget(const std::string& request) {
  const std::lock_guard lock(mutex_);
  std::erase_if(requests_, [&](const Request& one) { return one.name == request; });
}

}  // namespace kvmesh::agents
