#include "bench/llm/llama_cpp.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "base/error.hpp"

namespace kvmesh::bench {

std::unique_ptr<LlamaCpp> LlamaCpp::start(const std::filesystem::path& folder, const std::filesystem::path& model,
                                          int threads) {
  int to[2], from[2];
  if (folder.empty() || ::pipe2(to, O_CLOEXEC) != 0) return nullptr;
  if (::pipe2(from, O_CLOEXEC) != 0) return nullptr;
  const std::string script = KVMESH_SOURCE_DIR "/bench/llm/llama_cpp.mjs", count = std::to_string(threads);
  std::unique_ptr<LlamaCpp> own(new LlamaCpp);
  ::signal(SIGPIPE, SIG_IGN);  // a child that has ended is seen at the next read
  own->child_ = ::fork();
  if (own->child_ == 0) {
    ::dup2(to[0], STDIN_FILENO);
    ::dup2(from[1], STDOUT_FILENO);
    ::execlp("node", "node", script.c_str(), folder.c_str(), model.c_str(), count.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(to[0]);
  ::close(from[1]);
  own->to_ = to[1];
  own->from_ = from[0];
  own->description_ = own->read_line();
  if (own->description_.empty()) return nullptr;
  return own;
}

LlamaCpp::~LlamaCpp() {
  if (to_ >= 0) ::close(to_);
  if (from_ >= 0) ::close(from_);
  if (child_ > 0) ::waitpid(child_, nullptr, 0);
}

std::string LlamaCpp::read_line() {
  std::string line;
  for (char c = 0; ::read(from_, &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

double LlamaCpp::ask(const char* what, int tokens) {
  const std::string question = cat(what, ' ', tokens, '\n');
  const bool asked = ::write(to_, question.data(), question.size()) == static_cast<ssize_t>(question.size());
  const std::string answer = asked ? read_line() : "";
  if (answer.empty()) throw Error(ErrorKind::kGiveUp, "llama.cpp's process has ended");
  return std::strtod(answer.c_str(), nullptr);
}

}  // namespace kvmesh::bench
