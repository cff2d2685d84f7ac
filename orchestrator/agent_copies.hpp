#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace boost::asio {
class io_context;
}

/// Both ends of how an orchestrator starts the agents of its host: their program is started once, has what all of them
/// need (libtorch costs half a second and 50 MB), and is copied for each; the kernel copies what a copy changes
/// (docs/decisions/0017-agents-are-copies-of-one-process.md).
namespace kvmesh::orchestrator {

/// The program's end, for `PROGRAM agents NAME... --connect ENDPOINT`. Copies the calling process for each name, says
/// on standard output which process each is, and ends; returns in the copies alone, with the name of each. A copy is a
/// child of whoever started us, ends with it, has a process group of its own and our standard error as its standard
/// output; in the list of processes it is `PROGRAM agent NAME --connect ENDPOINT`. To be called before the process has
/// started a thread.
std::string become_agent(const std::vector<std::string>& names, const std::string& endpoint);

/// The orchestrator's end. A resource; used from the thread that runs `loop`.
class AgentCopies {
 public:
  /// The agents' processes in the order of their names: children of this process, for it to reap.
  using OnStarted = std::function<void(const std::vector<pid_t>& agents)>;
  /// Why there are none: "was killed by signal 9".
  using OnFailed = std::function<void(const std::string& reason)>;

  /// Starts the program. Makes this process the one that inherits orphans (PR_SET_CHILD_SUBREAPER): agents are, once
  /// their program has ended. One of the two is called on the loop, once; neither after the destructor. Throws
  /// Error{kFixInput} that names `program` where it cannot be started.
  AgentCopies(boost::asio::io_context& loop, const std::filesystem::path& program,
              const std::vector<std::string>& names, const std::string& endpoint, OnStarted on_started,
              OnFailed on_failed);
  ~AgentCopies();
  AgentCopies(const AgentCopies&) = delete;
  AgentCopies& operator=(const AgentCopies&) = delete;

  /// Neither has been called yet.
  bool starting() const;
  /// Asks the program to end before it has made copies.
  void stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace kvmesh::orchestrator
