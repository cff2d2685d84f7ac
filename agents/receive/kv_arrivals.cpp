#include "agents/receive/kv_arrivals.hpp"

#include <utility>

namespace kvmesh::agents {
namespace {

std::vector<const InboundEdge*> kv_edges(const Wiring& wiring) {
  std::vector<const InboundEdge*> edges;
  for (const InboundEdge& edge : wiring.inbound)
    if (edge.spec.medium == wire::Medium::kKv) edges.push_back(&edge);
  return edges;
}

}  // namespace

KvArrivals::KvArrivals(const llm::Model& model, const Wiring& wiring, const MakeRoom& room, ByteBudget waiting)
    : cache_(model.make_cache(1, room)),
      placer_(model, kv_edges(wiring), cache_, std::move(waiting)),
      open_(static_cast<std::size_t>(cache_.layers())) {
  if (!model.device().is_cpu()) copies_.emplace(model.device());
  std::size_t next = 0;
  for (const InboundEdge& edge : wiring.inbound)
    kv_edge_of_.push_back(edge.spec.medium == wire::Medium::kKv ? next++ : 0);
}

void KvArrivals::place(std::size_t edge, const wire::WireMessage& message) {
  place([&] { placer_.place(kv_edge_of_.at(edge), message); });
}

void KvArrivals::place(std::size_t edge, const wire::Envelope& envelope, std::vector<wire::WireMessage> rows) {
  place([&] { placer_.place(kv_edge_of_.at(edge), envelope, std::move(rows)); });
}

void KvArrivals::place(const std::function<void()>& rows) {
  const std::lock_guard lock(mutex_);
  if (failure_) return;
  if (copies_) copies_->beside(rows);
  else rows();
  last_arrival_ = Clock::now();
  changed_.notify_all();
}

void KvArrivals::fail(Error error) {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_.emplace(std::move(error));
  changed_.notify_all();
}

void KvArrivals::wait_for(int layer, const std::optional<Deadline>& deadline) {
  std::unique_lock lock(mutex_);
  const auto settled = [&] { return failure_ || placer_.complete(layer); };
  // Without a deadline of the task the orchestrator's cancel, or its silence, ends the wait.
  if (!deadline) changed_.wait(lock, settled);
  else if (!changed_.wait_until(lock, deadline->when(), settled))
    throw Error(ErrorKind::kRetry, cat("the deadline passed while waiting for the rows of layer ", layer));
  if (failure_) throw Error(failure_->kind(), failure_->what());
  if (!open_[static_cast<std::size_t>(layer)]) placer_.open(layer);
  open_[static_cast<std::size_t>(layer)] = true;
}

void KvArrivals::wait_for_all(const std::optional<Deadline>& deadline) {
  for (int layer = 0; layer < cache_.layers(); ++layer) wait_for(layer, deadline);
}

bool KvArrivals::settled() {
  const std::lock_guard lock(mutex_);
  if (failure_) return true;
  for (int layer = 0; layer < cache_.layers(); ++layer)
    if (!placer_.complete(layer)) return false;
  return true;
}

std::int64_t KvArrivals::next_position() {
  const std::lock_guard lock(mutex_);
  return placer_.next_position();
}

std::optional<KvArrivals::Clock::time_point> KvArrivals::last_arrival() {
  const std::lock_guard lock(mutex_);
  return last_arrival_;
}

}  // namespace kvmesh::agents
