#include "bench/transport/process.hpp"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <iostream>

#include "base/error.hpp"

namespace kvmesh::bench {
namespace {

constexpr int kPatienceMs = 120'000;

/// Only the n-th of the cores that we have, or the last one.
void pin_to(int n) {
  cpu_set_t ours, one;
  CPU_ZERO(&one);
  if (::sched_getaffinity(0, sizeof ours, &ours) != 0) return;
  for (int core = 0, seen = 0; core < CPU_SETSIZE && seen <= n; ++core) {
    if (!CPU_ISSET(core, &ours)) continue;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    ++seen;
  }
  ::sched_setaffinity(0, sizeof one, &one);
}

void serve(const Process::Work& work, int questions, int answers) {
  for (char question = 0; ::read(questions, &question, 1) == 1;) {
    const Span span = work(question);
    if (::write(answers, &span, sizeof span) != sizeof span) return;
  }
}

}  // namespace

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Process::Process(std::string name, int core, const MakeWork& make_work) : name_(std::move(name)) {
  int down[2], up[2];
  if (::pipe(down) != 0 || ::pipe(up) != 0) throw Error(ErrorKind::kGiveUp, cat("no pipe: ", std::strerror(errno)));
  pid_ = ::fork();
  if (pid_ < 0) throw Error(ErrorKind::kGiveUp, cat("cannot fork: ", std::strerror(errno)));
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(down[1]);
    ::close(up[0]);
    pin_to(core);
    int status = 0;
    try {
      serve(make_work(), down[0], up[1]);
    } catch (const std::exception& error) {
      std::cerr << "bench, " << name_ << ": " << error.what() << std::endl;
      status = 1;
    }
    ::_exit(status);  // what the parent had made is the parent's to end
  }
  ::close(down[0]);
  ::close(up[1]);
  questions_ = down[1];
  answers_ = up[0];
}

Process::~Process() {
  ::close(questions_);
  ::close(answers_);
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Process::ask(char question) {
  if (::write(questions_, &question, 1) != 1) throw Error(ErrorKind::kRetry, cat("bench: the ", name_, " has ended"));
}

Span Process::answer() {
  Span span;
  pollfd ready{.fd = answers_, .events = POLLIN, .revents = 0};
  if (::poll(&ready, 1, kPatienceMs) != 1 || ::read(answers_, &span, sizeof span) != sizeof span)
    throw Error(ErrorKind::kRetry,
                cat("bench: the ", name_, " has ended, or takes longer than ", kPatienceMs / 1000, " s"));
  return span;
}

}  // namespace kvmesh::bench
