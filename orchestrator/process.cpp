#include "orchestrator/process.hpp"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
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
  explicit TieToParent(int its_output) : output(its_output) {}

  pid_t parent = ::getpid();
  int output;

  template <typename Executor>
  void on_exec_setup(Executor&) const {
    ::setpgid(0, 0);
    if (output >= 0) ::dup2(output, STDOUT_FILENO);
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
  State(boost::asio::io_context& loop, OnExit handler) : timer(loop), end(loop), on_exit(std::move(handler)) {}

  void ended(int status) {
    running = false;
    timer.cancel();
    if (on_exit) std::exchange(on_exit, nullptr)(exit_of(status));
  }

  pid_t pid = 0;
  process::child child;  // where we started it
  boost::asio::steady_timer timer;
  boost::asio::posix::stream_descriptor end;  // where we did not: readable once it has ended
  OnExit on_exit;
  bool running = true;
  bool stopping = false;
};

std::string describe(const ProcessExit& exit) {
  return exit.killed ? cat("was killed by signal ", exit.code) : cat("exited with status ", exit.code);
}

ChildProcess::ChildProcess(boost::asio::io_context& loop, const std::filesystem::path& program,
                           const std::vector<std::string>& arguments, OnExit on_exit, int output)
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
                                   loop, TieToParent(output));
  } catch (const process::process_error& error) {
    fail_input("cannot start ", program.string(), ": ", error.code().message());
  }
  state_->pid = state_->child.id();
}

ChildProcess::ChildProcess(boost::asio::io_context& loop, pid_t child, OnExit on_exit)
    : state_(std::make_shared<State>(loop, std::move(on_exit))) {
  state_->pid = child;
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
  if (fd < 0) throw Error(ErrorKind::kGiveUp, cat("process ", child, " cannot be watched: ", std::strerror(errno)));
  state_->end.assign(fd);
  state_->end.async_wait(boost::asio::posix::descriptor_base::wait_read, [state = state_](const auto& error) {
    if (error || !state->running) return;
    int status = 0;
    ::waitpid(state->pid, &status, 0);
    state->ended(status);
  });
}

ChildProcess::~ChildProcess() {
  state_->on_exit = nullptr;
  state_->timer.cancel();
  if (state_->running) {
    ::kill(pid(), SIGKILL);
    std::error_code ignored;  // the loop's own handler may have reaped it
    if (state_->child.valid()) state_->child.wait(ignored);
    else ::waitpid(pid(), nullptr, 0);
    state_->running = false;
  }
  boost::system::error_code ignored;
  state_->end.close(ignored);
}

pid_t ChildProcess::pid() const { return state_->pid; }
bool ChildProcess::running() const { return state_->running; }

void ChildProcess::stop() {
  if (!state_->running || std::exchange(state_->stopping, true)) return;
  ::kill(pid(), SIGTERM);
  state_->timer.expires_after(kGrace);
  state_->timer.async_wait([state = state_](const boost::system::error_code& error) {
    if (!error && state->running) ::kill(state->pid, SIGKILL);
  });
}

}  // namespace kvmesh::orchestrator
