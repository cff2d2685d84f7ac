#include "agents/turns/turn_batch.hpp"

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::agents {

// Else an answer would depend on who is decoded beside it.
static_assert(bus::kMaxRequestsInFlight <= llm::BatchDecoder::kSameBits);

TurnBatch::TurnBatch(const llm::Host& host, std::string agent, std::function<void(TurnAnswer)> ended)
    : host_(host), agent_(std::move(agent)), ended_(std::move(ended)), decoder_(host.model()) {}

void TurnBatch::begin(Turn turn, Wiring wiring, TurnHooks hooks) {
  const std::string request = turn.task.request;
  auto active = std::make_unique<Active>();
  std::optional<std::int64_t> first;
  try {
    active->turn = std::make_unique<RunningTurn>(host_, std::move(wiring), std::move(turn), std::move(hooks));
    first = active->turn->begin();
  } catch (...) {
    return ended_(error_of(request, std::current_exception()));
  }
  if (!first) return ended_(answer_of(*active));
  decoder_.add({.cache = &active->turn->cache(),
                .first_token = *first,
                .next = [this, &one = *active](const at::Tensor& logits) { return next_of(one, logits); }});
  turns_.push_back(std::move(active));
}

std::optional<std::int64_t> TurnBatch::next_of(Active& active, const at::Tensor& logits) {
  try {
    const std::optional<std::int64_t> token = active.turn->next(logits);
    active.said_all = !token;
    return token;
  } catch (...) {
    active.failure = std::current_exception();
    return std::nullopt;
  }
}

void TurnBatch::step() {
  try {
    decoder_.step();
  } catch (...) {  // of the model itself: nobody knows how far the caches came
    decoder_.clear();
    for (const std::unique_ptr<Active>& active : turns_) active->failure = std::current_exception();
  }
  const auto over = std::stable_partition(turns_.begin(), turns_.end(), [](const std::unique_ptr<Active>& active) {
    return !active->said_all && !active->failure;
  });
  const std::vector<std::unique_ptr<Active>> leaving(std::make_move_iterator(over),
                                                     std::make_move_iterator(turns_.end()));
  turns_.erase(over, turns_.end());
  for (const std::unique_ptr<Active>& active : leaving) ended_(answer_of(*active));
}

TurnAnswer TurnBatch::answer_of(Active& active) const {
  try {
    if (active.failure) std::rethrow_exception(active.failure);
    return active.turn->finish();
  } catch (...) {
    return error_of(active.turn->request(), std::current_exception());
  }
}

bus::TaskError TurnBatch::error_of(const std::string& request, const std::exception_ptr& failure) const {
  const auto error = [&](ErrorKind kind, const char* what) {
    return bus::TaskError{request, kind, cat("agent ", agent_, ": ", what)};
  };
  try {
    std::rethrow_exception(failure);
  } catch (const Error& e) {
    return error(e.kind(), e.what());
  } catch (const std::exception& e) {
    return error(ErrorKind::kGiveUp, e.what());
  }
}

}  // namespace kvmesh::agents
