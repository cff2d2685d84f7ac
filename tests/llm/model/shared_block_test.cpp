// Memory that is made once per host: by whom, for whom, and what is left of it.

#include "llm/model/shared_block.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <string>

#include "base/error.hpp"

using namespace kvmesh;
using namespace kvmesh::llm;

namespace {

constexpr std::size_t kSize = 100'000;

/// A key that no other test of this machine uses.
std::uint64_t new_key() {
  static std::uint64_t count = 0;
  return static_cast<std::uint64_t>(::getpid()) << 20 | ++count;
}

/// A block full of `filling`, and how often it had to be made.
struct Maker {
  std::byte filling{};
  int made = 0;

  OwnedBytes get(std::uint64_t key) {
    return SharedBlock::get(key, kSize, [this](std::span<std::byte> bytes) {
      ++made;
      std::fill(bytes.begin(), bytes.end(), filling);
    });
  }
};

bool is_full_of(const OwnedBytes& block, std::byte filling) {
  const auto bytes = block.span();
  return block.size() == kSize && std::all_of(bytes.begin(), bytes.end(), [&](std::byte b) { return b == filling; });
}

/// Another process that holds a block full of `filling` until it is killed.
class OtherProcess {
 public:
  OtherProcess(std::uint64_t key, std::byte filling) {
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      const OwnedBytes block = Maker{filling}.get(key);
      const ssize_t told = ::write(ready[1], "r", 1);
      while (told == 1) ::pause();
      ::_exit(1);
    }
    char byte = 0;
    const bool holds = ::read(ready[0], &byte, 1) == 1;
    ::close(ready[0]);
    ::close(ready[1]);
    REQUIRE(holds);
  }
  ~OtherProcess() { kill(); }
  void kill() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
};

/// The lists of holders that stand in the folder under this key.
std::size_t lists_of(std::uint64_t key) {
  const auto folder = std::filesystem::temp_directory_path() / ("kvmesh-weights-" + std::to_string(::getuid()));
  char name[32];
  std::snprintf(name, sizeof name, "%lx-", static_cast<unsigned long>(key));
  std::size_t count = 0;
  std::error_code gone;  // the folder goes with the last list
  for (const auto& entry : std::filesystem::directory_iterator(folder, gone))
    count += entry.path().filename().string().starts_with(name);
  return count;
}

}  // namespace

TEST_CASE("a block is made once for all that hold it, and again after the last has let it go") {
  const std::uint64_t key = new_key();
  Maker first{std::byte{1}}, second{std::byte{2}};
  {
    const OwnedBytes one = first.get(key), other = second.get(key);
    CHECK(is_full_of(one, std::byte{1}));
    CHECK(is_full_of(other, std::byte{1}));
    CHECK(second.made == 0);
    CHECK(lists_of(key) == 1);
  }
  CHECK(lists_of(key) == 0);
  CHECK(is_full_of(second.get(key), std::byte{2}));
}

TEST_CASE("a block that another process made is read, not made") {
  const std::uint64_t key = new_key();
  const OtherProcess other(key, std::byte{3});
  Maker ours{std::byte{4}};
  CHECK(is_full_of(ours.get(key), std::byte{3}));
  CHECK(ours.made == 0);
}

TEST_CASE("a block outlives the process that made it, as long as somebody holds it") {
  const std::uint64_t key = new_key();
  OtherProcess other(key, std::byte{5});
  Maker ours{std::byte{6}}, later{std::byte{7}};
  const OwnedBytes held = ours.get(key);
  other.kill();
  CHECK(is_full_of(held, std::byte{5}));
  CHECK(is_full_of(later.get(key), std::byte{5}));
}

TEST_CASE("of processes that were killed nothing is left once another block is made") {
  const std::uint64_t killed_key = new_key(), key = new_key();
  OtherProcess(killed_key, std::byte{8}).kill();
  CHECK(lists_of(killed_key) == 1);
  const OwnedBytes ours = Maker{std::byte{9}}.get(key);
  CHECK(lists_of(killed_key) == 0);
  Maker again{std::byte{10}};
  CHECK(is_full_of(again.get(killed_key), std::byte{10}));
  CHECK(again.made == 1);
}

TEST_CASE("a block whose making failed is made by the next that asks") {
  const std::uint64_t key = new_key();
  const auto fail = [](std::span<std::byte>) { fail_input("damaged"); };
  CHECK_THROWS_WITH(SharedBlock::get(key, kSize, fail), "damaged");
  Maker next{std::byte{11}};
  CHECK(is_full_of(next.get(key), std::byte{11}));
  CHECK(next.made == 1);
}

TEST_CASE("nobody can write a block that others read") {
  const OwnedBytes block = Maker{std::byte{12}}.get(new_key());
  const auto page = reinterpret_cast<std::uintptr_t>(block.data()) & ~std::uintptr_t{4095};
  CHECK(::mprotect(reinterpret_cast<void*>(page), 4096, PROT_READ | PROT_WRITE) != 0);
}

TEST_CASE("waiting for a block that another process makes ends when it is asked to") {
  std::stop_source source;
  source.request_stop();
  const std::uint64_t key = new_key();
  // The lock is taken again from inside: its holder is not done.
  const auto inside = [&](std::span<std::byte>) {
    SharedBlock::get(
        key, kSize, [](std::span<std::byte>) {}, source.get_token());
  };
  CHECK_THROWS_WITH(SharedBlock::get(key, kSize, inside), Catch::Contains("was stopped"));
}
