#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <string>

namespace kvmesh::cli {

/// A line on stderr that counts towards a total; only where stderr is a terminal, so that logs stay clean.
class Progress {
 public:
  Progress(std::string name, std::size_t total) : name_(std::move(name)), total_(total), shown_(isatty(2) != 0) {}
  ~Progress() {
    if (shown_) std::fputs("\r\033[K", stderr);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance(const std::string& note) {
    ++done_;
    if (!shown_) return;
    constexpr std::size_t kWidth = 24;
    const std::size_t filled = total_ ? done_ * kWidth / total_ : kWidth;
    std::fprintf(stderr, "\r\033[K%-16s [%s%s] %zu/%zu %s", name_.c_str(), std::string(filled, '#').c_str(),
                 std::string(kWidth - filled, ' ').c_str(), done_, total_, note.c_str());
    std::fflush(stderr);
  }

 private:
  std::string name_;
  std::size_t total_;
  std::size_t done_ = 0;
  bool shown_;
};

}  // namespace kvmesh::cli
