#include "agents/process/handshake.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <thread>
#include <utility>

#include "agents/process/log.hpp"
#include "base/error.hpp"
#include "base/memory_limit.hpp"
#include "bus/memory_host.hpp"
#include "bus/topic.hpp"
#include "llm/runtime.hpp"

namespace kvmesh::agents {

std::string offer_topic(const std::string& mesh, const wire::EdgeSpec& spec) {
  return spec.medium == wire::Medium::kKv ? bus::edge_topic(mesh, spec.from, spec.to, "offer") : std::string();
}

namespace {

/// Those that somebody asked for, or our share of this host's cores, which the orchestrator may not run on.
int threads_of(const bus::Assign& assign, const bus::Edges& edges) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return assign.threads > 0 ? assign.threads : std::max(1, cores / std::max(1, edges.beside));
}

}  // namespace

Handshake::Handshake(Surroundings around, std::function<void(Joined)> done)
    : around_(std::move(around)), done_(std::move(done)), loader_(std::make_unique<boost::asio::thread_pool>(1)) {}

Handshake::~Handshake() {
  stop_loading_.request_stop();
  loader_->join();
}

void Handshake::on(const bus::Assign& assign) {
  joined_.assign = assign;
  assigned_ = true;
  around_.send(bus::Hello{.manifest = wire::to_json(llm::read_manifest(assign.model_path)),
                          .publish_endpoint = around_.node.publish_endpoint().string(),
                          .memory_host = bus::memory_host(),
                          .memory_bytes = memory_limit()});
}

void Handshake::on(const bus::Edges& edges) {
  patience_ = std::chrono::milliseconds(edges.ready_deadline_ms);
  if (edges.ready_deadline_ms > 0) deadline_ = Deadline::after(patience_);
  joined_.threads = threads_of(joined_.assign, edges);
  llm::set_compute_threads(joined_.threads);
  joined_.wiring.mesh = joined_.assign.mesh;
  joined_.keep_bytes = edges.keep_bytes;
  joined_.waiting_bytes = edges.waiting_bytes;
  for (const bus::EdgeEnd& end : edges.inbound) subscribe(end);
  for (const bus::EdgeEnd& end : edges.outbound) {
    joined_.outbound_topics.push_back(end.topic);
    joined_.wiring.outbound.push_back(
        {wire::edge_spec_from_json(end.spec), wire::manifest_from_json(end.manifest), end.carries_sink, {}});
  }
  share_memory(edges.outbound);
  load();
}

void Handshake::subscribe(const bus::EdgeEnd& end) {
  const wire::EdgeSpec spec = wire::edge_spec_from_json(end.spec);
  const std::size_t edge = joined_.wiring.inbound.size();
  const bus::Endpoint sender = bus::Endpoint::parse(end.endpoint);
  // Before the edge itself: who has seen that subscription has seen this one.
  if (const std::string topic = offer_topic(joined_.assign.mesh, spec); !topic.empty() && joined_.keep_bytes > 0) {
    joined_.offers_by_topic[topic] = edge;
    around_.node.subscribe(sender, topic);
  }
  joined_.inbound_by_topic[end.topic] = edge;
  joined_.borrows.push_back(end.shared_memory);
  joined_.wiring.inbound.push_back({spec, wire::manifest_from_json(end.manifest)});
  around_.node.subscribe(sender, end.topic, end.shared_memory);
}

/// What the orchestrator found to be on one host. Where there is no memory for it the socket serves as well, unless
/// the topology insists.
void Handshake::share_memory(const std::vector<bus::EdgeEnd>& edges) {
  std::vector<std::string> topics;
  bool required = false;
  for (const bus::EdgeEnd& end : edges) {
    if (!end.shared_memory) continue;
    topics.push_back(end.topic);
    required = required || wire::edge_spec_from_json(end.spec).transport == wire::Transport::kShm;
  }
  if (topics.empty()) return;
  try {
    around_.node.share_memory(topics);
    joined_.shares_memory = true;
  } catch (const Error& error) {
    if (required) throw;
    log_warning(cat("agent ", around_.name, ": ", error.what(), "; its edges go over the socket"));
  }
}

Handshake::Loaded Handshake::load_host(const bus::Assign& assign, int threads, std::stop_token stop) {
  try {
    // Threads are set per thread by some OpenMP runtimes: say it on the one that loads.
    llm::set_compute_threads(threads);
    const llm::Model::Options options{.dtype = assign.dtype, .device = assign.device, .stop = std::move(stop)};
    return {std::make_shared<const llm::Host>(llm::Host::load(assign.model_path, options)), std::nullopt};
  } catch (const Error& error) {
    return {nullptr, error};
  } catch (const std::exception& error) {
    return {nullptr, Error(ErrorKind::kGiveUp, cat(assign.model_path, ": ", error.what()))};
  }
}

void Handshake::load() {
  loading_ = true;
  boost::asio::post(*loader_, [this, assign = joined_.assign, threads = joined_.threads] {
    around_.post([this, loaded = load_host(assign, threads, stop_loading_.get_token())] { on_loaded(loaded); });
  });
}

void Handshake::on_loaded(const Loaded& loaded) {
  if (loaded.error) throw Error(loaded.error->kind(), loaded.error->what());
  loader_->join();  // with the threads that computing on it has made
  joined_.host = loaded.host;
  for (const std::string& name : loaded.host->model().unused_tensors())
    log_info(cat("agent ", around_.name, ": tensor ", name, " is not used by this architecture"));
  for (const std::string& note : loaded.host->model().notes())
    log_warning(cat("agent ", around_.name, ": ", joined_.assign.model_path, ": ", note));
  finish_if_all_stands();
}

void Handshake::on_subscription(const std::string& topic, bool open) {
  if (open) joined_.subscribed.insert(topic);
  else joined_.subscribed.erase(topic);
  finish_if_all_stands();
}

std::optional<std::string> Handshake::waiting_for() const {
  if (!assigned_ || !done_) return std::nullopt;
  if (!loading_) return cat("the other agents of mesh ", joined_.assign.mesh, " to join");
  if (!joined_.host) return cat("its model to be read from ", joined_.assign.model_path);
  for (std::size_t edge = 0; edge < joined_.outbound_topics.size(); ++edge)
    if (!joined_.subscribed.contains(joined_.outbound_topics[edge]))
      return cat("agent ", joined_.wiring.outbound[edge].spec.to, " to subscribe to what it sends");
  return std::nullopt;
}

void Handshake::check_deadline(std::chrono::steady_clock::time_point now) const {
  if (!done_ || !deadline_ || !deadline_->expired(now)) return;
  throw Error(ErrorKind::kRetry,
              cat("after ", std::chrono::duration<double>(patience_).count(), " s it still waits for ",
                  waiting_for().value_or("nothing"), "; --ready-deadline gives it more time"));
}

/// All stands when the model is loaded and every receiver's subscription has been seen.
void Handshake::finish_if_all_stands() {
  const bool heard = std::all_of(joined_.outbound_topics.begin(), joined_.outbound_topics.end(),
                                 [this](const std::string& topic) { return joined_.subscribed.contains(topic); });
  if (!done_ || !joined_.host || !heard) return;
  std::exchange(done_, nullptr)(std::move(joined_));
}

}  // namespace kvmesh::agents
