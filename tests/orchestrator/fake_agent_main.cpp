// What `kvmesh agent NAME --connect ENDPOINT --child` is, without a model. Its name says how it ends: "killed" by SIGKILL at
// its first task, "exits" with status 9 at its start, "deaf" to SIGTERM; any other answers with its pid.
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

#include "fake_agent.hpp"
#include "kvcodec/wire/manifest.hpp"

int main(int argc, char** argv) {
  using namespace kvmesh;
  const std::string child = argc == 6 ? argv[5] : "";
  if (child != "--child" || std::string(argv[1]) != "agent" || std::string(argv[3]) != "--connect") return 8;
  const std::string name = argv[2];
  if (name == "exits") return 9;
  if (name == "deaf") ::signal(SIGTERM, SIG_IGN);
  wire::Manifest manifest;
  manifest.family = "fake";
  manifest.num_key_value_heads = manifest.head_dim = manifest.num_hidden_layers = manifest.hidden_size = 2;
  manifest.max_position_embeddings = 2048;
  manifest.rope_theta = 10000;
  orchestrator::test::FakeAgent agent(name, bus::Endpoint::parse(argv[4]),
                                      {.manifest = wire::to_json(manifest),
                                       .answer = [&](const bus::Task& task) -> std::optional<bus::Control> {
                                         if (name == "killed") ::raise(SIGKILL);
                                         if (name == "deaf") return std::nullopt;
                                         return bus::Result{.request = task.request,
                                                            .answer = std::to_string(::getpid())};
                                       }});
  agent.wait_until_over();
  if (name == "deaf") ::pause();
  return 0;
}
