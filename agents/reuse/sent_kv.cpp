#include "agents/reuse/sent_kv.hpp"

#include <algorithm>
#include <utility>

namespace kvmesh::agents {

void SentKv::sent(std::size_t edge, const std::string& request, std::uint32_t sequence, std::size_t bytes, Make make) {
  const std::lock_guard lock(mutex_);
  const auto of_edge = [&](const Request& one) { return one.edge == edge; };
  const auto ours = [&](const Request& one) { return of_edge(one) && one.name == request; };
  if (sequence == 0 && std::none_of(requests_.begin(), requests_.end(), ours)) {
    if (std::count_if(requests_.begin(), requests_.end(), of_edge) >= static_cast<std::ptrdiff_t>(kMostRequests))
      drop_first(of_edge);
    requests_.push_back({.edge = edge, .name = request, .messages = {}});
  }
  const auto found = std::find_if(requests_.begin(), requests_.end(), ours);
  if (found == requests_.end()) return;
  found->messages.push_back(std::move(make));
  found->bytes += bytes;
  bytes_ += bytes;
  const auto other = [&](const Request& one) { return one.name != request; };
  while (bytes_ > budget_ && std::any_of(requests_.begin(), requests_.end(), other)) drop_first(other);
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
  drop_all([&](const Request& one) { return one.edge == edge && one.name == request; });
}

void SentKv::forget(const std::string& request) {
  const std::lock_guard lock(mutex_);
  drop_all([&](const Request& one) { return one.name == request; });
}

template <typename Which>
void SentKv::drop_first(Which which) {
  const auto found = std::find_if(requests_.begin(), requests_.end(), which);
  bytes_ -= found->bytes;
  requests_.erase(found);
}

template <typename Which>
void SentKv::drop_all(Which which) {
  while (std::any_of(requests_.begin(), requests_.end(), which)) drop_first(which);
}

}  // namespace kvmesh::agents
