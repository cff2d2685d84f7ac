// A program of another project: one call into each of the rooms that it links.

#include <iostream>
#include <kvmesh/base/error.hpp>
#include <kvmesh/kvcodec/wire/manifest.hpp>
#ifdef CONSUMER_HAS_BUS
#include <kvmesh/bus/endpoint.hpp>
#endif

namespace {

int fail(const char* what) {
  std::cerr << "consumer: " << what << '\n';
  return 1;
}

}  // namespace

int main() {
  const kvmesh::wire::Manifest sender{.family = "llama",
                                      .num_key_value_heads = 2,
                                      .head_dim = 64,
                                      .rope_theta = 10'000,
                                      .num_hidden_layers = 8,
                                      .hidden_size = 128,
                                      .max_position_embeddings = 1024};
  kvmesh::wire::Manifest receiver = sender;
  if (kvmesh::wire::manifest_from_json(kvmesh::wire::to_json(sender)) != sender) return fail("a manifest changed");
  if (!kvmesh::wire::differences(sender, receiver).empty()) return fail("equal manifests differ");
  receiver.head_dim = 128;
  if (kvmesh::wire::differences(sender, receiver).size() != 1) return fail("the difference in head_dim was not seen");
#ifdef CONSUMER_HAS_BUS
  if (kvmesh::bus::Endpoint::parse("tcp://127.0.0.1:5555").port() != "5555") return fail("a port was misread");
  try {
    kvmesh::bus::Endpoint::parse("pigeon://roof");
    return fail("a wrong endpoint was taken");
  } catch (const kvmesh::Error& error) {
    if (error.kind() != kvmesh::ErrorKind::kFixInput) return fail("a wrong endpoint is of the wrong kind");
  }
#endif
  return 0;
}
