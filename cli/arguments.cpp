#include "cli/arguments.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "base/error.hpp"

namespace kvmesh::cli {

Check one_of(std::vector<std::string> names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  auto complaint = [names = std::move(names), list](const std::string& text) {
    const bool known = std::find(names.begin(), names.end(), text) != names.end();
    return known ? std::string() : cat("\"", text, "\" is not one of ", list);
  };
  return {"one of " + list, std::move(complaint)};
}

Option& Option::required() {
  option_->required();
  return *this;
}

Option& Option::check(const Check& check) {
  option_->check(CLI::Validator(check.complaint, check.wanted));
  return *this;
}

Option& Option::show_default() {
  option_->capture_default_str();
  return *this;
}

Option& Option::show_default(const std::string& text) {
  option_->default_str(text);
  return *this;
}

Option& Option::excludes(const Option& other) {
  option_->excludes(other.option_);
  return *this;
}

Option& Option::needs(const Option& other) {
  option_->needs(other.option_);
  return *this;
}

Option& Option::one_at_a_time() {
  option_->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  return *this;
}

Option& Option::value_optional() {
  option_->expected(0, 1);
  return *this;
}

Command Command::subcommand(const std::string& name, const std::string& summary) {
  return Command(*app_->add_subcommand(name, summary), *action_);
}

void Command::hide() { app_->group(""); }

void Command::need_subcommand() { app_->require_subcommand(1); }

Option Command::option(const std::string& name, std::string& value, const std::string& help) {
  return Option(*app_->add_option(name, value, help));
}
Option Command::option(const std::string& name, std::filesystem::path& value, const std::string& help) {
  return Option(*app_->add_option(name, value, help));
}
Option Command::option(const std::string& name, int& value, const std::string& help) {
  return Option(*app_->add_option(name, value, help));
}
Option Command::option(const std::string& name, std::optional<int>& value, const std::string& help) {
  return Option(*app_->add_option(name, value, help));
}
Option Command::option(const std::string& name, std::int64_t& value, const std::string& help) {
  return Option(*app_->add_option(name, value, help));
}
Option Command::option(const std::string& name, std::uint64_t& value, const std::string& help) {
  return Option(*app_->add_option(name, value, help));
}
Option Command::option(const std::string& name, double& value, const std::string& help) {
  return Option(*app_->add_option(name, value, help));
}
Option Command::option(const std::string& name, std::vector<std::string>& values, const std::string& help) {
  return Option(*app_->add_option(name, values, help));
}
Option Command::option(const std::string& name, std::vector<std::filesystem::path>& values, const std::string& help) {
  return Option(*app_->add_option(name, values, help));
}

Option Command::option(const std::string& name, std::function<void(const std::string&)> set, const std::string& help) {
  const auto take = [name, set = std::move(set)](const std::string& text) {
    try {
      set(text);
    } catch (const Error& error) {
      throw CLI::ValidationError(name, error.what());
    }
  };
  return Option(*app_->add_option_function<std::string>(name, take, help));
}

Option Command::flag(const std::string& name, bool& value, const std::string& help) {
  return Option(*app_->add_flag(name, value, help));
}

void Command::runs(Action action) {
  app_->callback([to = action_, action = std::move(action)] { *to = action; });
}

}  // namespace kvmesh::cli
