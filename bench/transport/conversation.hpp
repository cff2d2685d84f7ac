#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agents/agent.hpp"
#include "agents/reuse/kept_prompts.hpp"
#include "agents/reuse/offering.hpp"
#include "base/error.hpp"
#include "bench/transport/scratch.hpp"
#include "bus/node.hpp"

namespace kvmesh::bench {

/// A reader that shares every layer of its prompts with a solver over ipc, one after another, as agents do: what was
/// sent or computed for one of them may serve the next. The solver places rows on a thread of its own.
class Conversation {
 public:
  /// `keep_bytes` of each: received blocks, own prompts. 0: nothing serves the next. `model` outlives this.
  Conversation(const llm::Model& model, std::size_t keep_bytes);
  ~Conversation();
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  struct Turn {
    std::uint64_t bytes = 0;  ///< of all frames
    double seconds = 0;       ///< until the last row stands in the solver's cache
  };
  Turn turn(const std::vector<std::int64_t>& ids);

 private:
  void on_reader_event(bus::Event event);
  void place();
  void receive(const bus::Delivered& delivered);

  const llm::Model& model_;
  const Scratch scratch_;
  agents::Wiring reader_;
  const std::string topic_, offer_topic_;
  agents::KeptPrompts prompts_;
  std::mutex solver_mutex_;  ///< taken before `mutex_`; guards the next
  agents::Agent solver_;
  int turns_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool subscribed_ = false;
  bool stop_ = false;
  std::deque<bus::Delivered> delivered_;
  std::shared_ptr<agents::KvArrivals> arrivals_;  ///< of the turn that is being taken, once its first row has come
  std::optional<Error> failure_;

  std::unique_ptr<agents::Offering> offering_;
  std::unique_ptr<bus::Node> reader_node_, solver_node_;
  std::thread placer_;
};

}  // namespace kvmesh::bench
