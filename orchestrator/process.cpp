#include "orchestrator/process.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/process/args.hpp>
#include <boost/process/async.hpp>
#include <boost/process/child.hpp>
#include <boost/process/env.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/io.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/error.hpp"

namespace kvmesh::orchestrator {
namespace {

namespace process = boost::process;

/// Runs in the child between fork and exec, so it calls what is safe there and nothing else.
struct TieToParent : process::extend::handler {
  pid_t parent = ::getpid();

  template <typename Executor>
  void on_exec_setup(Executor&) const {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(1);  // it died before the tie was made
  }
};

ProcessExit exit_of(int status) {
  if (WIFSIGNALED(status)) return {.killed = true, .code = WTERMSIG(status)};
  return {.killed = false, .code = WEXITSTATUS(status)};
}

}  // namespace

/// Shared with the handlers on the loop, which may run after the ChildProcess is gone.
struct ChildProcess::State {
  State(boost::asio::io_context& loop, OnExit handler) : timer(loop), on_exit(std::move(handler)) {}

  void ended(int status) {
    running = false;
    timer.cancel();
    if (on_exit) std::exchange(on_exit, nullptr)(exit_of(status));
  }

  process::child child;
  boost::asio::steady_timer timer;
  OnExit on_exit;
  bool running = true;
  bool stopping = false;
};

std::string describe(const ProcessExit& exit) {
  return exit.killed ? cat("was killed by signal ", exit.code) : cat("exited with status ", exit.code);
}

ChildProcess::ChildProcess(boost::asio::io_context& loop, const std::filesystem::path& program,
                           const std::vector<std::string>& arguments, OnExit on_exit)
    : state_(std::make_shared<State>(loop, std::move(on_exit))) {
  // Asked before the fork: a child that dies on a failed exec signals a loop that its caller may be taking down.
  if (::access(program.c_str(), X_OK) != 0) fail_input("cannot start ", program.string(), ": ", std::strerror(errno));
  const auto reaped = [state = state_](int, const std::error_code&) {
    if (state->running) state->ended(state->child.native_exit_code());
  };
  try {
    // Threads that spin while they wait would take the cores from the other agents on this host.
    state_->child = process::child(process::exe = program.string(), process::args = arguments,
                                   process::env["OMP_WAIT_POLICY"] = "PASSIVE",
                                   process::std_in<process::null, process::std_out> stderr, process::on_exit = reaped,
                                   loop, TieToParent{});
  } catch (const process::process_error& error) {
    fail_input("cannot start ", program.string(), ": ", error.code().message());
  }
}

ChildProcess::~ChildProcess() {
  state_->on_exit = nullptr;
  state_->timer.cancel();
  if (!state_->running) return;
  ::kill(pid(), SIGKILL);
  std::error_code ignored;  // the loop's own handler may have reaped it
  state_->child.wait(ignored);
  state_->running = false;
}

pid_t ChildProcess::pid() const { return state_->child.id(); }
bool ChildProcess::running() const { return state_->running; }

void ChildProcess::stop() {
  if (!state_->running || std::exchange(state_->stopping, true)) return;
  ::kill(pid(), SIGTERM);
  state_->timer.expires_after(kGrace);
  state_->timer.async_wait([state = state_](const boost::system::error_code& error) {
    if (!error && state->running) ::kill(state->child.id(), SIGKILL);
  });
}

}  // namespace kvmesh::orchestrator
