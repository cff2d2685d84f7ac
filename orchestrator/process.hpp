#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace kvmesh::orchestrator {

/// How a process ended.
struct ProcessExit {
  bool killed = false;  ///< by a signal; `code` is then its number, otherwise the exit status
  int code = 0;
  bool operator==(const ProcessExit&) const = default;
};

/// "was killed by signal 9", "exited with status 3".
std::string describe(const ProcessExit& exit);

/// A child process that does not outlive us: the kernel ends it when the thread that started it ends, however that
/// comes about. It has its own process group, so that Ctrl-C reaches us alone and we end it in order; no standard
/// input; and our standard error as its standard output, which leaves ours to results. A resource; used from the thread
/// that runs `loop`, which also has to be the one that lives as long as the child should.
class ChildProcess {
 public:
  using OnExit = std::function<void(ProcessExit)>;
  static constexpr std::chrono::milliseconds kGrace{2'000};

  /// Throws Error{kFixInput} that names `program` where it cannot be started. `on_exit` is called on the loop, once,
  /// after the child was reaped; never after the destructor. `output`: the descriptor that is its standard output in
  /// place of our standard error.
  ChildProcess(boost::asio::io_context& loop, const std::filesystem::path& program,
               const std::vector<std::string>& arguments, OnExit on_exit, int output = -1);
  /// A child of ours that another process made, and that tied itself to us: see AgentCopies.
  ChildProcess(boost::asio::io_context& loop, pid_t child, OnExit on_exit);
  /// Kills what still runs, and reaps it.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const;
  bool running() const;
  /// Asks it to end (SIGTERM); after kGrace it is killed. Once; a process that is gone is left alone.
  void stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace kvmesh::orchestrator
