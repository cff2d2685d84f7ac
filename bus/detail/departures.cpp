#include "bus/detail/departures.hpp"

#include <algorithm>
#include <utility>

namespace kvmesh::bus::detail {

std::size_t Departures::window(std::size_t bytes) {
  return std::clamp(kWindowMessages * bytes, kLeastWindowBytes, kMostWindowBytes);
}

void Departures::add(Departure departure) {
  Topic& topic = topics_[departure.topic];
  if (!topic.out) topic.out = std::make_shared<Outstanding>(wake_);
  topic.waiting.push_back({added_++, std::move(departure)});
}

bool Departures::may_leave(const Topic& topic) {
  const std::size_t out = topic.out->bytes();
  const std::size_t bytes = topic.waiting.front().departure.bytes;
  return out == 0 || out + bytes <= window(bytes);
}

template <typename May>
Departures::Topics::iterator Departures::first(May may) {
  auto found = topics_.end();
  for (auto topic = topics_.begin(); topic != topics_.end(); ++topic) {
    if (topic->second.waiting.empty() || !may(topic->second)) continue;
    if (found == topics_.end() || topic->second.waiting.front().number < found->second.waiting.front().number)
      found = topic;
  }
  return found;
}

std::optional<Departures::Departure> Departures::next() {
  for (;;) {
    const auto found = first(may_leave);
    if (found != topics_.end()) return take(found);
    if (wait()) return std::nullopt;
  }
}

/// Asks to be woken; false where something may leave after all. Half of a window is to be free, so that a wake-up
/// serves several messages.
bool Departures::wait() {
  for (const auto& [name, topic] : topics_) {
    if (topic.waiting.empty()) continue;
    const std::size_t bytes = topic.waiting.front().departure.bytes;
    const std::size_t room = window(bytes);
    if (!topic.out->wake_at(bytes < room ? std::min(room / 2, room - bytes) : 0)) return false;
  }
  return true;
}

Departures::Departure Departures::take(Topics::iterator topic) {
  Departure departure = std::move(topic->second.waiting.front().departure);
  topic->second.waiting.pop_front();
  departure.keeps = topic->second.out->take(departure.bytes, std::move(departure.keeps));
  return departure;
}

std::optional<Departures::Departure> Departures::next_of_all() {
  const auto found = first([](const Topic&) { return true; });
  if (found == topics_.end()) return std::nullopt;
  return take(found);
}

}  // namespace kvmesh::bus::detail
