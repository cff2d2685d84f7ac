// What a process may use, in made-up control group folders.

#include "base/memory_limit.hpp"

#include <catch2/catch.hpp>

#include "tests/support/temporary_folder.hpp"

using namespace kvmesh;
using kvmesh::test::TemporaryFolder;

namespace {

constexpr std::size_t kMachine = std::size_t{64} << 30;

/// A machine of 64 GiB, and what its control groups say.
class Machine {
 public:
  explicit Machine(const std::string& groups)
      : memory_(folder_.write("meminfo", "MemTotal:       67108864 kB\nMemFree:  1000 kB\n")),
        groups_(folder_.write("cgroup", groups)) {}

  void says(const std::string& file, const std::string& text) const {
    const auto path = folder_.path() / "mounted" / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text << '\n';
  }
  std::size_t limit() const {
    return memory_limit({.machine = memory_, .groups = groups_, .mounted = folder_.path() / "mounted"});
  }

 private:
  const TemporaryFolder folder_;
  const std::filesystem::path memory_, groups_;
};

}  // namespace

TEST_CASE("without a control group that limits it a process may use the machine's memory") {
  CHECK(Machine("").limit() == kMachine);
  const Machine free("0::/user.slice\n");
  free.says("user.slice/memory.max", "max");
  CHECK(free.limit() == kMachine);
  CHECK(memory_limit() > 0);
  CHECK(memory_limit() <= memory_limit({.machine = "/proc/meminfo", .groups = "/nowhere", .mounted = "/nowhere"}));
  CHECK(memory_limit({.machine = "/nowhere", .groups = "/nowhere", .mounted = "/nowhere"}) == 0);
}

TEST_CASE("the limit of a version 2 group counts, and so does a tighter one of a group around it") {
  const Machine machine("0::/docker/box\n");
  machine.says("docker/box/memory.max", "2147483648");
  CHECK(machine.limit() == std::size_t{2} << 30);
  machine.says("docker/memory.max", "1073741824");
  CHECK(machine.limit() == std::size_t{1} << 30);
}

TEST_CASE("a container that sees its own group as the root has its limit there") {
  const Machine machine("0::/\n");
  machine.says("memory.max", "536870912");
  CHECK(machine.limit() == 536'870'912);
}

TEST_CASE("the limit of a version 1 group counts, whatever other controllers are in its line") {
  const Machine machine("9:cpu,cpuacct:/x\n4:memory,hugetlb:/box\n0::/\n");
  machine.says("memory/box/memory.limit_in_bytes", "268435456");
  CHECK(machine.limit() == 268'435'456);
}

TEST_CASE("a version 1 container whose group has the host's name for it has its limit at the mount") {
  const Machine machine("4:memory:/docker/0123456789ab\n");
  machine.says("memory/memory.limit_in_bytes", "268435456");
  CHECK(machine.limit() == 268'435'456);
}

TEST_CASE("version 1's number for no limit, and files that say no number, limit nothing") {
  const Machine machine("4:memory:/\nnonsense\n0::/odd\n");
  machine.says("memory/memory.limit_in_bytes", "9223372036854771712");
  machine.says("odd/memory.max", "plenty");
  CHECK(machine.limit() == kMachine);
}
