#include "orchestrator/detail/private_folder.hpp"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <optional>
#include <string>

#include "tests/support/temporary_folder.hpp"

using kvmesh::orchestrator::detail::PrivateFolder;
namespace fs = std::filesystem;

namespace {

/// What stands in TMPDIR while a test runs.
class TemporaryFiles {
 public:
  TemporaryFiles() { ::setenv("TMPDIR", folder_.path().c_str(), /*overwrite=*/1); }
  ~TemporaryFiles() { ::unsetenv("TMPDIR"); }
  std::size_t count() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()));
  }
  const fs::path& path() const { return folder_.path(); }

 private:
  kvmesh::test::TemporaryFolder folder_;
};

/// A process with a private folder, which has a file in it, is killed.
void leave_one_behind() {
  const pid_t child = ::fork();
  if (child == 0) {
    const PrivateFolder folder;
    std::ofstream(folder.path() / "control") << "x";
    ::raise(SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
}

}  // namespace

TEST_CASE("a folder that a killed process left behind goes with the next start, one in use stays") {
  const TemporaryFiles files;
  const PrivateFolder in_use;
  leave_one_behind();
  leave_one_behind();
  REQUIRE(files.count() == 2);  // the second removed what the first had left
  {
    const PrivateFolder next;
    CHECK(files.count() == 2);
    CHECK(fs::exists(in_use.path()));
    CHECK(fs::exists(next.path()));
  }
  CHECK(files.count() == 1);
}

TEST_CASE("what is not a private folder's is left alone") {
  const TemporaryFiles files;
  fs::create_directory(files.path() / "kvmesh-test-abcdef");
  fs::create_directory(files.path() / "kvmesh-mesh-mine");
  std::ofstream(files.path() / "kvmesh-mesh-mine/data") << "x";  // without a lock
  std::ofstream(files.path() / "kvmesh-mesh-file") << "x";
  const PrivateFolder folder;
  CHECK(fs::exists(files.path() / "kvmesh-test-abcdef"));
  CHECK(fs::exists(files.path() / "kvmesh-mesh-mine/data"));
  CHECK(fs::exists(files.path() / "kvmesh-mesh-file"));
}

TEST_CASE("a folder that was left before it had its lock goes too") {
  const TemporaryFiles files;
  fs::create_directory(files.path() / "kvmesh-mesh-abcdef");
  const PrivateFolder folder;
  CHECK(files.count() == 1);
}
