#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/hosted_commands.hpp"
#include "cli/model_arguments.hpp"
#include "cli/number_checks.hpp"
#include "cli/numbers.hpp"

namespace kvmesh::cli {
namespace {

struct Arguments {
  ModelArguments model;
  std::string ids;
  bool json = false;
};

int logits(const Arguments& arguments, std::ostream& out) {
  const std::vector<std::int64_t> ids = parse_numbers("--ids", "token id", arguments.ids, kIntMost);
  llm::set_compute_threads(arguments.model.threads);
  const llm::Model model = llm::Model::load(arguments.model.path(), arguments.model.options);
  say_notes(model);
  const std::int64_t limit = model.config().position_limit;
  if (static_cast<std::int64_t>(ids.size()) > limit)
    fail_input("--ids: ", ids.size(), " tokens are more than the model's ",
               llm::describe_position_limit(model.config()));
  llm::KvCache cache = model.make_cache(static_cast<std::int64_t>(ids.size()));
  const at::Tensor rows =
      model.forward({.embeddings = model.embed(ids), .logits = llm::LogitRows::kAll}, cache).logits.cpu().contiguous();
  nlohmann::json matrix = nlohmann::json::array();
  for (std::int64_t r = 0; r < rows.size(0); ++r) {
    const float* row = rows.data_ptr<float>() + r * rows.size(1);
    if (arguments.json) {
      matrix.push_back(std::vector<float>(row, row + rows.size(1)));
      continue;
    }
    const auto best = rows.select(0, r).argmax().item<std::int64_t>();
    out << "position " << r << ": best id " << best << " (" << row[best] << ")\n";
  }
  if (arguments.json) out << nlohmann::json{{"logits", std::move(matrix)}}.dump() << '\n';
  return kExitOk;
}

}  // namespace

void add_logits_command(Command app) {
  auto arguments = std::make_shared<Arguments>();
  Command command = app.subcommand("logits", summary_of("logits"));
  arguments->model.add_to(command);
  command.option("--ids", arguments->ids, "Token ids, as 1,2,3").required();
  command.flag("--json", arguments->json, "Print {\"logits\": [[...], ...]}, one row per position");
  command.runs([arguments](std::ostream& out) { return logits(*arguments, out); });
}

}  // namespace kvmesh::cli
