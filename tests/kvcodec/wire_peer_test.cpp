#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/kvcodec/wire_fixture.hpp"
#include "tests/support/places.hpp"

using namespace kvmesh;
using namespace kvmesh::test;

namespace {

/// A folder of its own that goes away with the test.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "kvmesh-wire-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// As read_frames() reads them.
void write_frames(const std::filesystem::path& path, const std::vector<OwnedBytes>& frames) {
  std::ofstream file(path, std::ios::binary);
  for (const OwnedBytes& frame : frames) {
    for (int shift : {0, 8, 16, 24}) file.put(static_cast<char>(frame.size() >> shift));
    file.write(frame.text().data(), static_cast<std::streamsize>(frame.size()));
  }
}

/// Runs the script; false, with a warning, where this machine has no python3-msgpack.
bool peer_is_there() {
  if (std::system("/usr/bin/python3 -c 'import msgpack' 2>/dev/null") == 0) return true;
  WARN("SKIPPED: /usr/bin/python3 has no msgpack (apt-get install python3-msgpack)");
  return false;
}

int run_peer(const std::string& arguments, const char* peer = "kvcodec/wire_peer.py") {
  return std::system(("/usr/bin/python3 " + (source_dir() / "tests" / peer).string() + " " + arguments).c_str());
}

/// What the peer says that refuses a file of `frames`; "" where it takes them.
std::string refusal_of(const std::vector<OwnedBytes>& frames, const char* peer = "kvcodec/wire_peer.py") {
  const ScratchFolder folder;
  write_frames(folder / "ours", frames);
  const std::string arguments = "answer " + (folder / "ours").string() + " " + (folder / "theirs").string();
  if (run_peer(arguments + " 2>" + (folder / "errors").string(), peer) == 0) return "";
  std::ifstream errors(folder / "errors");
  return std::string(std::istreambuf_iterator<char>(errors), {});
}

}  // namespace

TEST_CASE("a Python peer reads our message, and we read what it writes") {
  if (!peer_is_there()) return;
  const ScratchFolder folder;
  write_frames(folder / "ours", example_frames());
  REQUIRE(run_peer("answer " + (folder / "ours").string() + " " + (folder / "theirs").string()) == 0);

  // The peer answers the other way round, a layer up, with keys and values exchanged.
  const wire::WireMessage answer = wire::decode_message(read_frames(folder / "theirs"));
  CHECK(answer.envelope.from == "solver");
  CHECK(answer.envelope.to == "reader");
  CHECK(answer.envelope.layer == 5);
  CHECK(answer.envelope.positions == example_envelope().positions);
  CHECK(answer.envelope.tensors == example_envelope().tensors);
  CHECK(answer.payload.at(0).text() == example_payload()[1].text());
  CHECK(answer.payload.at(1).text() == example_payload()[0].text());
}

TEST_CASE("a Python peer refuses our message when a byte of it is another") {
  if (!peer_is_there()) return;
  std::vector<OwnedBytes> frames = example_frames();
  frames[1] = bytes_of({0, 0, 0, 0, 0, 0, 0, 0});
  CHECK_THAT(refusal_of(frames), holds("payload's checksum"));
  frames = example_frames();
  std::string envelope(frames[0].text());
  envelope[envelope.find("positions") + 12] ^= 1;  // the first row's place
  frames[0] = OwnedBytes::from_string(envelope);
  CHECK_THAT(refusal_of(frames), holds("envelope's checksum"));
}

TEST_CASE("a peer of version 1 is told both versions by our message") {
  if (!peer_is_there()) return;
  CHECK_THAT(refusal_of(example_frames(), "golden/wire_version_1/peer.py"),
             holds("protocol version 2, but this peer speaks 1"));
}

TEST_CASE("the peer of version 1 that is kept here reads version 1") {
  if (!peer_is_there()) return;
  const auto frames = read_frames(source_dir() / "tests/golden/wire_version_1/kv");
  CHECK(refusal_of(frames, "golden/wire_version_1/peer.py").empty());
  CHECK_THAT(refusal_of(frames), holds("protocol version 1, but this peer speaks 2"));
}

TEST_CASE("a Python peer makes the same hash of a manifest") {
  if (!peer_is_there()) return;
  const ScratchFolder folder;
  std::ofstream(folder / "manifest") << wire::to_json(example_manifest());
  REQUIRE(run_peer("hash " + (folder / "manifest").string() + " >" + (folder / "hash").string()) == 0);
  std::ifstream hash(folder / "hash");
  std::string digits;
  hash >> digits;
  CHECK(digits == example_manifest().hash());
}
