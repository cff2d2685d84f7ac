#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <ostream>
#include <variant>

#include "agents/exchange.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/hosted_commands.hpp"
#include "cli/model_arguments.hpp"
#include "cli/number_checks.hpp"
#include "cli/numbers.hpp"
#include "kvcodec/wire/edge_options.hpp"

namespace kvmesh::cli {
namespace {

struct Arguments {
  std::string sender, receiver, receiver_ids, layers = "all", medium = "kv";
  std::vector<std::string> sender_ids;
  llm::Model::Options model;
  wire::EdgeSpec edge;
  int max_tokens = 16, threads = 0;
  bool json = false;
};

nlohmann::json rows_of(const at::Tensor& matrix) {
  const at::Tensor rows = matrix.to(at::kCPU, at::kFloat).contiguous();
  nlohmann::json out = nlohmann::json::array();
  for (std::int64_t r = 0; r < rows.size(0); ++r) {
    const float* row = rows.data_ptr<float>() + r * rows.size(1);
    out.push_back(std::vector<float>(row, row + rows.size(1)));
  }
  return out;
}

wire::LayerChoice layer_choice(const std::string& text) {
  wire::LayerChoice choice;
  choice.kind = text == "all" ? wire::LayerChoice::Kind::kAll : wire::LayerChoice::Kind::kExplicit;
  if (text == "all" || text == "none") return choice;
  for (std::int64_t layer : parse_numbers("--layers", "layer", text, wire::kLayerRange.most))
    choice.layers.push_back(static_cast<int>(layer));
  std::sort(choice.layers.begin(), choice.layers.end());
  choice.layers.erase(std::unique(choice.layers.begin(), choice.layers.end()), choice.layers.end());
  return choice;
}

agents::ExchangeRequest request_of(const Arguments& arguments) {
  agents::ExchangeRequest request;
  for (const std::string& ids : arguments.sender_ids)
    request.sender_ids.push_back(parse_numbers("--sender-ids", "token id", ids, kIntMost));
  request.edge = arguments.edge;
  request.edge.medium = *wire::find_medium(arguments.medium);
  request.edge.layers = layer_choice(arguments.layers);
  request.max_tokens = arguments.max_tokens;
  if (request.edge.medium != wire::Medium::kKv && request.sender_ids.size() > 1)
    fail_input("--sender-ids: ", request.sender_ids.size(), " senders; several senders share kv only");
  return request;
}

int print_embeddings(const llm::Model& sender, agents::ExchangeRequest request, const Arguments& arguments,
                     std::ostream& out) {
  request.stop_tokens = llm::read_stop_tokens(arguments.sender);
  const agents::ExpectedEmbeddings said =
      agents::sender_embeddings(sender, llm::read_manifest(arguments.receiver), request);
  nlohmann::ordered_json steps = nlohmann::ordered_json::array();
  const nlohmann::json vectors = rows_of(said.vectors);
  for (std::size_t s = 0; s < said.nearest.size(); ++s) {
    if (!arguments.json) out << "step " << s << ": nearest token " << said.nearest[s] << '\n';
    steps.push_back({{"nearest", said.nearest[s]}, {"vector", vectors[s]}});
  }
  if (arguments.json) out << nlohmann::ordered_json{{"steps", steps}, {"stopped", said.stopped}}.dump() << '\n';
  return kExitOk;
}

int share(const Arguments& arguments, std::ostream& out) {
  agents::ExchangeRequest request = request_of(arguments);
  llm::set_compute_threads(arguments.threads);
  const llm::Model sender = llm::Model::load(arguments.sender, arguments.model);
  say_notes(sender);
  if (request.edge.medium == wire::Medium::kEmbedding) return print_embeddings(sender, request, arguments, out);
  if (arguments.receiver_ids.empty()) fail_input("--receiver-ids: missing; the receiver needs at least one token");
  request.receiver_ids = parse_numbers("--receiver-ids", "token id", arguments.receiver_ids, kIntMost);
  request.stop_tokens = llm::read_stop_tokens(arguments.receiver);
  const llm::Model receiver = llm::Model::load(arguments.receiver, arguments.model);
  say_notes(receiver);
  const agents::ExchangeResult result = agents::exchange(sender, receiver, request);
  nlohmann::ordered_json object = {{"logits", rows_of(result.logits)},
                                   {"greedy", result.greedy},
                                   {"bytes", result.bytes}};
  if (result.scores.size() == 1) object["scores"] = result.scores.front();
  if (result.scores.size() > 1) object["scores"] = result.scores;
  if (!arguments.json) object.erase("logits");
  out << object.dump() << '\n';
  return kExitOk;
}

/// "--mask" and the like: one of the names that the edge's option of that name has.
void add_choice(Command command, wire::EdgeSpec& edge, const std::string& field, const std::string& what) {
  for (const wire::EdgeOption& option : wire::edge_options()) {
    if (option.field != field) continue;
    const auto& choice = std::get<wire::EdgeOption::Choice>(option.value);
    const auto set = [&edge, &choice](const std::string& name) {
      choice.set(edge, static_cast<std::size_t>(std::find(choice.names.begin(), choice.names.end(), name) -
                                                choice.names.begin()));
    };
    command.option("--" + field, set, what).check(one_of(choice.names)).show_default(choice.names.at(choice.get(edge)));
  }
}

void add_ends(Command command, Arguments& a) {
  command.option("--sender", a.sender, "The senders' model (docs/cli.md)").required();
  command.option("--receiver", a.receiver, "The receiver's model (docs/cli.md)").required();
  command.option("--sender-ids", a.sender_ids, "Token ids of a sender, as 1,2,3; give the option once per sender")
      .required()
      .one_at_a_time();
  command.option("--receiver-ids", a.receiver_ids, "Token ids of the receiver, as 1,2,3");
  command.option("--max-tokens", a.max_tokens, "How many tokens may follow the prompt; embedding: how many steps")
      .check(whole_number(0))
      .show_default();
}

void add_edge(Command command, Arguments& a) {
  command.option("--medium", a.medium, "What the edge carries")
      .check(one_of({"kv", "embedding", "activation"}))
      .show_default();
  command.option("--layers", a.layers, "Layers of the receiver to share beside layer 0, as 0,2; or all; or none")
      .show_default();
  add_choice(command, a.edge, "mask", "authors: the mask of the released code, to compare with it");
  add_choice(command, a.edge, "positions", "compact, overlap: the positions of the released code, to compare with it");
  command.option("--temperature", a.edge.temperature, "embedding: the temperature of the softmax")
      .check(number(0, std::numeric_limits<double>::max(), /*above_least=*/true))
      .show_default();
  command.option("--from-layer", a.edge.from_layer, "activation: take the state that enters this layer of the sender")
      .check(whole_number(0, wire::kLayerRange.most));
  command.option("--to-layer", a.edge.to_layer, "activation: put it in before this layer of the receiver")
      .check(whole_number(0, wire::kLayerRange.most));
  add_choice(command, a.edge, "combine", "activation: how it enters the receiver's state");
}

}  // namespace

void add_share_command(Command app) {
  auto a = std::make_shared<Arguments>();
  Command command = app.subcommand("share", summary_of("share"));
  add_ends(command, *a);
  add_edge(command, *a);
  command.option("--dtype", a->model.dtype, "What to compute in")
      .check(one_of({"auto", "fp32", "bf16", "fp16"}))
      .show_default();
  command.option("--device", a->model.device, "Where to compute: cpu or cuda:N").show_default();
  command.option("--threads", a->threads, kOwnThreadsHelp).check(thread_count());
  command.flag("--json", a->json, "Print the logits too");
  command.runs([a](std::ostream& out) {
    a->sender = orchestrator::resolve_model(a->sender).string();
    a->receiver = orchestrator::resolve_model(a->receiver).string();
    return share(*a, out);
  });
}

}  // namespace kvmesh::cli
