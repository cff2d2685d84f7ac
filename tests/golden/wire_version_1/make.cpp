// Writes the frames of version 1 in this folder. It compiles with the sources of kvmesh as they were at commit f185f93,
// the last of version 1, and with no others:
//   git worktree add /tmp/kvmesh1 f185f93 && cd /tmp/kvmesh1 &&
//   g++ -std=c++20 -O2 -I. HERE/make.cpp bus/control.cpp base/*.cpp
//   kvcodec/wire/{checksum,edge_spec,envelope,manifest}.cpp
//       kvcodec/wire/{message,reuse,tensor_frame}.cpp kvcodec/wire/detail/{checksum_generic,msgpack_reader}.cpp
//       -lxxhash -o /tmp/make && /tmp/make HERE
// A file holds frames, each behind its length in four bytes, little-endian.

#include <fstream>
#include <string>
#include <vector>

#include "bus/control.hpp"
#include "kvcodec/wire/envelope.hpp"
#include "kvcodec/wire/reuse.hpp"
#include "tests/kvcodec/wire_fixture.hpp"

using namespace kvmesh;

namespace {

void write(const std::string& path, const std::vector<OwnedBytes>& frames) {
  std::ofstream file(path, std::ios::binary);
  for (const OwnedBytes& frame : frames) {
    for (int shift : {0, 8, 16, 24}) file.put(static_cast<char>(frame.size() >> shift));
    file.write(frame.text().data(), static_cast<std::streamsize>(frame.size()));
  }
}

}  // namespace

int main(int, char** argv) {
  const std::string folder = std::string(argv[1]) + "/";
  write(folder + "kv", test::example_frames());
  wire::Envelope text = test::example_envelope();
  text.kind = wire::Medium::kText;
  text.count = 1;
  text.sequence = 0;
  text.tensors = {{.name = "text", .dtype = wire::Dtype::kUint8, .shape = {5}}};
  const std::vector<OwnedBytes> hello{OwnedBytes::from_string("hello")};
  write(folder + "text", wire::encode_message(text, hello));
  write(folder + "offer", wire::encode_offer({"r0", wire::name_blocks(std::vector<std::int64_t>(130, 7), "w")}));
  write(folder + "held", {wire::encode_back(wire::Held{"r0", {2, 0}})});
  write(folder + "join", {bus::encode_control(bus::Join{.agent = "reader", .pid = 4711, .host = "old"})});
  write(folder + "refused", {bus::encode_control(bus::Refused{.reason = "agent reader speaks version 2"})});
  write(folder + "result", {bus::encode_control(bus::Result{.request = "r0", .answer = "Paris"})});
  write(folder + "task", {bus::encode_control(bus::Task{.request = "r0", .prompt = {{.text = "Hi"}}})});
  return 0;
}
