// Our wire, spoken by another language: what we publish a Python peer understands, what it publishes we take.

#include <boost/process.hpp>
#include <cstdlib>

#include "agents/media/kv_placer.hpp"
#include "agents/media/kv_sender.hpp"
#include "base/deadline.hpp"
#include "bus/node.hpp"
#include "bus/topic.hpp"
#include "kvcodec/encode.hpp"
#include "kvcodec/reassembly.hpp"
#include "llm/model/model.hpp"
#include "tests/bus/event_log.hpp"
#include "tests/support/child.hpp"
#include "tests/support/golden.hpp"

using namespace kvmesh;
using namespace kvmesh::test;

namespace {

wire::EdgeSpec edge_from(const std::string& sender) {
  wire::EdgeSpec spec;
  spec.from = sender;
  spec.to = "solver";
  spec.layers.kind = wire::LayerChoice::Kind::kExplicit;
  spec.layers.layers = {4, 5};
  return spec;
}

/// Messages of one turn of a sender, ready to be published.
std::vector<std::vector<OwnedBytes>> messages_of(const llm::Model& model, const std::vector<std::int64_t>& ids,
                                                 const wire::EdgeSpec& spec) {
  llm::KvCache cache = model.make_cache(1);
  model.forward({.embeddings = model.embed(ids), .logits = llm::LogitRows::kNone}, cache);
  const wire::Manifest manifest = llm::manifest_of(model.config());
  agents::KvSender sender({spec, manifest, true, {}}, cache, {.own_rows = static_cast<std::int64_t>(ids.size())});
  std::vector<std::vector<OwnedBytes>> messages;
  for (int l = 0; l < cache.layers(); ++l) {
    for (const auto& piece : sender.pieces_of(l, cache.layer(l))) {
      wire::Envelope envelope;
      envelope.mesh = "interop";
      envelope.from = spec.from;
      envelope.to = spec.to;
      envelope.request = "r1";
      envelope.sequence = static_cast<std::uint32_t>(messages.size());
      envelope.count = sender.message_count();
      envelope.manifest = manifest.hash();
      envelope.layer = piece.receiver_layer;
      envelope.context_start = piece.context_start;
      envelope.context_end = piece.context_end;
      envelope.layers_complete = piece.layers_complete;
      messages.push_back(kvcodec::encode_layer(agents::rows_of(cache.layer(l), piece.begin, piece.end), envelope));
    }
  }
  return messages;
}

at::Tensor logits_after(const llm::Model& model, const wire::EdgeSpec& spec,
                        const std::vector<wire::WireMessage>& messages, const std::vector<std::int64_t>& ids) {
  const agents::InboundEdge edge{spec, llm::manifest_of(model.config())};
  llm::KvCache cache = model.make_cache(1);
  agents::place_kv(model, {{&edge, &messages}}, cache);
  return model.forward({.embeddings = model.embed(ids), .logits = llm::LogitRows::kAll}, cache).logits;
}

std::vector<wire::WireMessage> reassemble(const llm::Model& model, const wire::EdgeSpec& spec,
                                          const std::vector<std::vector<OwnedBytes>>& messages) {
  kvcodec::Reassembly inbox(
      {"interop", spec.from, spec.to, spec.medium, "r1", llm::manifest_of(model.config()).hash()});
  for (const auto& frames : messages) inbox.feed(wire::decode_message(frames));
  return inbox.take();
}

}  // namespace

TEST_CASE("KV that went through a Python peer over ZeroMQ gives the same logits as KV that came straight") {
  if (std::system("/usr/bin/python3 -c 'import zmq, msgpack' 2>/dev/null") != 0) {
    WARN("SKIPPED: /usr/bin/python3 has no zmq or msgpack (apt-get install python3-zmq python3-msgpack)");
    return;
  }
  const llm::Model model = llm::Model::load(tiny_model(), {.dtype = "bf16"});
  const auto golden = read_json(source_dir() / "tests/golden/tiny.json")["kvcomm"][0];
  const wire::EdgeSpec direct = edge_from("reader"), relayed = edge_from("relay");
  const auto messages = messages_of(model, ids_of(golden["sender_ids"]), direct);

  const bus::test::Folder folder;
  bus::test::TestNode publisher(bus::test::TestNode::hub(folder.ipc("control1"), folder.ipc("publisher")));
  bus::test::TestNode subscriber(bus::test::TestNode::hub(folder.ipc("control2"), folder.ipc("unused")));
  const std::string topic = bus::edge_topic("interop", "reader", "solver", "kv");
  const bus::Endpoint own = folder.ipc("relay");
  boost::process::child relay("/usr/bin/python3", (source_dir() / "tests/agents/wire_relay.py").string(),
                              publisher.node.publish_endpoint().string(), topic, own.string(), "relay");
  subscriber.node.subscribe(own, bus::edge_topic("interop", "relay", "solver", "kv"));
  CHECK(publisher.log.next<bus::SubscriptionOpened>().topic == topic);
  for (const auto& frames : messages) publisher.node.publish(topic, frames);

  std::vector<std::vector<OwnedBytes>> arrived;
  while (arrived.size() < messages.size()) arrived.push_back(subscriber.log.next<bus::Delivered>().message);
  REQUIRE(ends_within(relay, std::chrono::seconds(20)));
  CHECK(relay.exit_code() == 0);

  const auto ids = ids_of(golden["receiver_ids"]);
  const at::Tensor straight = logits_after(model, direct, reassemble(model, direct, messages), ids);
  const at::Tensor through = logits_after(model, relayed, reassemble(model, relayed, arrived), ids);
  CHECK(distance(straight, through) == 0);
}
