#include <ATen/ATen.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "agents/exchange.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/model_arguments.hpp"
#include "cli/number_checks.hpp"
#include "cli/numbers.hpp"

namespace kvmesh::cli {
namespace {

struct Arguments {
  std::string sender, receiver, receiver_ids, layers = "all", medium = "kv", mask = "causal", positions = "continue";
  std::vector<std::string> sender_ids;
  std::string combine = "replace";
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
  for (std::int64_t layer : parse_numbers("--layers", "layer", text)) choice.layers.push_back(static_cast<int>(layer));
  std::sort(choice.layers.begin(), choice.layers.end());
  choice.layers.erase(std::unique(choice.layers.begin(), choice.layers.end()), choice.layers.end());
  return choice;
}

agents::ExchangeRequest request_of(const Arguments& arguments) {
  agents::ExchangeRequest request;
  for (const std::string& ids : arguments.sender_ids)
    request.sender_ids.push_back(parse_numbers("--sender-ids", "token id", ids));
  request.edge = arguments.edge;
  request.edge.medium = *wire::find_medium(arguments.medium);
  request.edge.layers = layer_choice(arguments.layers);
  if (arguments.mask == "authors") request.edge.mask = wire::Mask::kAuthors;
  if (arguments.positions == "compact") request.edge.positions = wire::Positions::kCompact;
  if (arguments.positions == "overlap") request.edge.positions = wire::Positions::kOverlap;
  if (arguments.combine == "sum") request.edge.combine = wire::Combine::kSum;
  if (arguments.combine == "mean") request.edge.combine = wire::Combine::kMean;
  request.max_tokens = arguments.max_tokens;
  if (request.edge.medium != wire::Medium::kKv && request.sender_ids.size() > 1)
    fail_input("--sender-ids: ", request.sender_ids.size(), " senders; several senders share kv only");
  return request;
}

int print_embeddings(const llm::Model& sender, agents::ExchangeRequest request, const Arguments& arguments) {
  request.stop_tokens = llm::read_stop_tokens(arguments.sender);
  const agents::ExpectedEmbeddings said =
      agents::sender_embeddings(sender, llm::read_manifest(arguments.receiver), request);
  nlohmann::ordered_json steps = nlohmann::ordered_json::array();
  const nlohmann::json vectors = rows_of(said.vectors);
  for (std::size_t s = 0; s < said.nearest.size(); ++s) {
    if (!arguments.json) std::cout << "step " << s << ": nearest token " << said.nearest[s] << '\n';
    steps.push_back({{"nearest", said.nearest[s]}, {"vector", vectors[s]}});
  }
  if (arguments.json) std::cout << nlohmann::ordered_json{{"steps", steps}, {"stopped", said.stopped}}.dump() << '\n';
  return kExitOk;
}

int share(const Arguments& arguments) {
  agents::ExchangeRequest request = request_of(arguments);
  llm::set_compute_threads(arguments.threads);
  const llm::Model sender = llm::Model::load(arguments.sender, arguments.model);
  if (request.edge.medium == wire::Medium::kEmbedding) return print_embeddings(sender, request, arguments);
  if (arguments.receiver_ids.empty()) fail_input("--receiver-ids: missing; the receiver needs at least one token");
  request.receiver_ids = parse_numbers("--receiver-ids", "token id", arguments.receiver_ids);
  request.stop_tokens = llm::read_stop_tokens(arguments.receiver);
  const llm::Model receiver = llm::Model::load(arguments.receiver, arguments.model);
  const agents::ExchangeResult result = agents::exchange(sender, receiver, request);
  nlohmann::ordered_json out = {{"logits", rows_of(result.logits)}, {"greedy", result.greedy}, {"bytes", result.bytes}};
  if (result.scores.size() == 1) out["scores"] = result.scores.front();
  if (result.scores.size() > 1) out["scores"] = result.scores;
  if (!arguments.json) out.erase("logits");
  std::cout << out.dump() << '\n';
  return kExitOk;
}

}  // namespace

void add_share_command(CLI::App& app, Action& action) {
  auto a = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("share", "one exchange between two models on given token ids");
  command->add_option("--sender", a->sender, "checkpoint folder of the senders")->required();
  command->add_option("--receiver", a->receiver, "checkpoint folder of the receiver")->required();
  command->add_option("--sender-ids", a->sender_ids, "token ids, as 1,2,3; once for each sender")
      ->required()
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--receiver-ids", a->receiver_ids, "token ids, as 1,2,3");
  command->add_option("--layers", a->layers, "receiver layers, as 0,2; or all, or none")->capture_default_str();
  command->add_option("--medium", a->medium, "what is carried")
      ->check(CLI::IsMember({"kv", "embedding", "activation"}))
      ->capture_default_str();
  command->add_option("--mask", a->mask, "authors: reproduce the released code's mask")
      ->check(CLI::IsMember({"causal", "authors"}))
      ->capture_default_str();
  command->add_option("--positions", a->positions, "compact, overlap: reproduce the released code's positions")
      ->check(CLI::IsMember({"continue", "compact", "overlap"}))
      ->capture_default_str();
  command->add_option("--temperature", a->edge.temperature, "embedding: of the softmax")
      ->check(above_zero())
      ->capture_default_str();
  command->add_option("--from-layer", a->edge.from_layer, "activation: the state entering this sender layer");
  command->add_option("--to-layer", a->edge.to_layer, "activation: goes in before this receiver layer");
  command->add_option("--combine", a->combine, "activation: how it goes in")
      ->check(CLI::IsMember({"replace", "sum", "mean"}))
      ->capture_default_str();
  command->add_option("--max-tokens", a->max_tokens, "greedy tokens after the prompt; embedding: most steps")
      ->check(zero_or_more())
      ->capture_default_str();
  command->add_option("--dtype", a->model.dtype, "compute dtype")
      ->check(CLI::IsMember({"auto", "fp32", "bf16", "fp16"}))
      ->capture_default_str();
  command->add_option("--device", a->model.device, "cpu or cuda:N")->capture_default_str();
  command->add_option("--threads", a->threads, "compute threads; 0: every core")->check(zero_or_more());
  command->add_flag("--json", a->json, "the logits too");
  command->callback([&action, a] { action = [a] { return share(*a); }; });
}

}  // namespace kvmesh::cli
