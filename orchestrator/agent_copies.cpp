#include "orchestrator/agent_copies.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <utility>

#include "base/error.hpp"
#include "orchestrator/process.hpp"

namespace kvmesh::orchestrator {
namespace {

namespace asio = boost::asio;

struct Pipe {
  Pipe() {
    if (::pipe2(ends, O_CLOEXEC) != 0)
      throw Error(ErrorKind::kGiveUp, cat("no pipe is to be had: ", std::strerror(errno)));
  }
  int ends[2] = {-1, -1};
};

/// Gives the process another command line, of which the first has room for.
void rename_process(const std::string& name, const std::string& endpoint) {
  std::ifstream in("/proc/self/cmdline", std::ios::binary);
  const std::string before{std::istreambuf_iterator<char>(in), {}};
  std::string now = cat(program_invocation_name, '\0', "agent", '\0', name, '\0', "--connect", '\0', endpoint);
  if (now.size() >= before.size()) return;
  now.resize(before.size(), '\0');
  std::memcpy(program_invocation_name, now.data(), now.size());  // argv[0], where the command line begins
}

/// What a copy does first: waits until the process that it was copied from has ended and it is the orchestrator's
/// child, and ties itself to that.
void settle(const Pipe& gate, pid_t original, pid_t orchestrator) {
  ::close(gate.ends[1]);
  ::setpgid(0, 0);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  char none = 0;
  while (::read(gate.ends[0], &none, 1) < 0 && errno == EINTR) {
  }
  ::close(gate.ends[0]);
  while (::getppid() == original) ::sched_yield();  // between the end of its descriptors and its own
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != orchestrator) ::_exit(1);
}

[[noreturn]] void end_with(const std::vector<pid_t>& copies, int status) {
  for (const pid_t copy : copies) ::kill(copy, SIGKILL);
  ::_exit(status);
}

void write_all(int fd, const std::string& text, const std::vector<pid_t>& copies) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t written = ::write(fd, text.data() + at, text.size() - at);
    if (written < 0 && errno != EINTR) end_with(copies, 1);
    if (written > 0) at += static_cast<std::size_t>(written);
  }
}

}  // namespace

std::string become_agent(const std::vector<std::string>& names, const std::string& endpoint) {
  const pid_t original = ::getpid(), orchestrator = ::getppid();
  const Pipe gate;
  std::vector<pid_t> copies;
  std::string told;
  for (const std::string& name : names) {
    const pid_t copy = ::fork();
    if (copy == 0) {
      settle(gate, original, orchestrator);
      rename_process(name, endpoint);
      return name;
    }
    if (copy < 0) end_with(copies, 1);
    copies.push_back(copy);
    told += cat(copy, '\n');
  }
  write_all(STDOUT_FILENO, told, copies);
  ::_exit(0);
}

/// Shared with the handlers on the loop, which may run after the AgentCopies is gone.
struct AgentCopies::State : std::enable_shared_from_this<State> {
  State(asio::io_context& loop, std::size_t agents, OnStarted started, OnFailed failed)
      : output(loop), count(agents), on_started(std::move(started)), on_failed(std::move(failed)) {}

  void read() {
    output.async_read_some(asio::buffer(buffer), [self = shared_from_this()](const auto& error, std::size_t size) {
      self->told.append(self->buffer.data(), size);
      if (!error) return self->read();
      self->told_all = true;
      self->end_if_over();
    });
  }

  void end_if_over() {
    if (!starting || !told_all || !exit) return;
    starting = false;
    std::vector<pid_t> agents;
    std::istringstream in(told);
    for (pid_t agent = 0; in >> agent;) agents.push_back(agent);
    if (*exit == ProcessExit{} && agents.size() == count) {
      if (on_started) on_started(agents);
    } else if (on_failed) {
      on_failed(describe(*exit));
    }
  }

  asio::posix::stream_descriptor output;
  std::size_t count;
  OnStarted on_started;
  OnFailed on_failed;
  std::array<char, 4096> buffer{};
  std::string told;
  bool told_all = false;
  bool starting = true;
  std::optional<ProcessExit> exit;
  std::optional<ChildProcess> program;
};

AgentCopies::AgentCopies(asio::io_context& loop, const std::filesystem::path& program,
                         const std::vector<std::string>& names, const std::string& endpoint, OnStarted on_started,
                         OnFailed on_failed)
    : state_(std::make_shared<State>(loop, names.size(), std::move(on_started), std::move(on_failed))) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  std::vector<std::string> arguments{"agents"};
  arguments.insert(arguments.end(), names.begin(), names.end());
  arguments.insert(arguments.end(), {"--connect", endpoint});
  const Pipe pipe;
  state_->output.assign(pipe.ends[0]);
  const std::unique_ptr<const int, void (*)(const int*)> writing(&pipe.ends[1], [](const int* fd) { ::close(*fd); });
  const auto ended = [state = std::weak_ptr(state_)](ProcessExit exit) {
    const auto self = state.lock();
    if (!self) return;
    self->exit = exit;
    self->end_if_over();
  };
  state_->program.emplace(loop, program, arguments, ended, pipe.ends[1]);
  state_->read();
}

AgentCopies::~AgentCopies() {
  state_->on_started = nullptr;
  state_->on_failed = nullptr;
  state_->program.reset();
  boost::system::error_code ignored;
  state_->output.close(ignored);
}

bool AgentCopies::starting() const { return state_->starting; }

void AgentCopies::stop() {
  if (state_->starting) state_->program->stop();
}

}  // namespace kvmesh::orchestrator
