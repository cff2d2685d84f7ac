#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/process.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/child.hpp"
#include "tests/support/places.hpp"
#include "tests/support/temporary_folder.hpp"

/// Runs the kvmesh program as its users do.
namespace kvmesh::test {

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A program under way, its output going to files; killed with the test if it still runs.
class Program {
 public:
  explicit Program(std::vector<std::string> arguments, const std::string& input = "")
      : Program(program_path(), std::move(arguments), input) {}

  /// A line of bash in which `kvmesh` is this build's: for pipes and redirections.
  static Program shell(const std::string& line) {
    const std::string folder = std::filesystem::path(program_path()).parent_path().string();
    return Program("/bin/bash", {"-c", "PATH=" + folder + ":$PATH; " + line}, "");
  }
  ~Program() {
    std::error_code ignored;
    if (child_.running(ignored)) child_.terminate(ignored);
    child_.wait(ignored);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  pid_t pid() const { return child_.id(); }
  void signal(int number) const { ::kill(pid(), number); }
  std::string out() const { return read_file(folder_.path() / "out"); }
  std::string err() const { return read_file(folder_.path() / "err"); }

  /// The exit status, once it has ended; fails the test where it has not within `deadline`.
  int wait(std::chrono::seconds deadline = std::chrono::seconds(120)) {
    const bool ended = ends_within(child_, deadline);
    INFO("standard error: " << err());
    REQUIRE(ended);
    return WIFSIGNALED(child_.native_exit_code()) ? 128 + WTERMSIG(child_.native_exit_code()) : child_.exit_code();
  }

  /// Polls until `happened`, which looks at the world outside this process; fails the test at the deadline.
  template <typename Condition>
  static void wait_until(const std::string& what, Condition happened,
                         std::chrono::seconds deadline = std::chrono::seconds(60)) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    INFO("waiting until " << what);
    bool done = false;
    while (!(done = happened()) && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    REQUIRE(done);
  }

  /// Child processes by pid, with their command lines.
  std::vector<std::pair<pid_t, std::string>> children() const {
    std::vector<std::pair<pid_t, std::string>> found;
    // Each thread has a list of its own, and any of them may have started a child.
    for (const auto& thread : std::filesystem::directory_iterator(cat_path(pid(), "task"))) {
      std::istringstream pids(read_file(thread.path() / "children"));
      for (pid_t child = 0; pids >> child;) {
        std::string line = read_file(cat_path(child, "cmdline"));
        for (char& c : line)
          if (c == '\0') c = ' ';
        found.emplace_back(child, line);
      }
    }
    return found;
  }

  static bool exists(pid_t pid) { return ::kill(pid, 0) == 0; }

 private:
  /// What a program keeps for the next stands in a folder of its own, unless a test names one for several.
  boost::process::environment environment() const {
    boost::process::environment all = boost::this_process::environment();
    const char* cache = std::getenv("KVMESH_TEST_CACHE");
    all["XDG_CACHE_HOME"] = cache != nullptr ? cache : (folder_.path() / "cache").string();
    return all;
  }

  Program(const std::string& program, std::vector<std::string> arguments, const std::string& input)
      : child_(program, environment(), boost::process::args = std::move(arguments),
               boost::process::std_in<folder_.write("in", input).string(), boost::process::std_out>(folder_.path() /
                                                                                                    "out")
                   .string(),
               boost::process::std_err > (folder_.path() / "err").string()) {}

  static std::string cat_path(pid_t pid, const std::string& rest) {
    return "/proc/" + std::to_string(pid) + "/" + rest;
  }
  TemporaryFolder folder_;
  boost::process::child child_;
};

}  // namespace kvmesh::test
