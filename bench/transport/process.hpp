#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

namespace kvmesh::bench {

/// When something began and ended, in seconds of the clock that all processes share.
struct Span {
  double begin = 0;
  double end = 0;
};

double seconds_now();

/// A child of this process on one core: it is asked for one thing after the other, and answers each with a Span. Made
/// by fork(), so that it has what its parent had made, and no thread but its own.
class Process {
 public:
  /// In the child: makes what does the work. What that returns is called for each question.
  using Work = std::function<Span(char question)>;
  using MakeWork = std::function<Work()>;

  /// `core`: of those that this process may use, from 0.
  Process(std::string name, int core, const MakeWork& make_work);
  /// Ends it.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void ask(char question);
  /// Throws Error{kRetry} where the child has ended or takes longer than two minutes.
  Span answer();

 private:
  const std::string name_;
  pid_t pid_ = -1;
  int questions_ = -1, answers_ = -1;
};

}  // namespace kvmesh::bench
