#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

/// The command line as commands declare it. CLI11 does the work, in arguments.cpp and program.cpp alone: compiled into
/// each command it took two thirds of a command's compile time.
namespace kvmesh::cli {

/// What the command line asked for: set by the subcommand that was chosen, run by run_program() with standard output
/// (cli/output.hpp), gives the exit status.
using Action = std::function<int(std::ostream& out)>;

/// What the text of an option must be. A value.
struct Check {
  std::string wanted;                                        ///< as help has it: "a whole number from 1 to 5"
  std::function<std::string(const std::string&)> complaint;  ///< empty: the text is fine
};
Check one_of(std::vector<std::string> names);

/// An option that was declared: a handle, valid as long as its command. Throws nothing.
class Option {
 public:
  explicit Option(CLI::Option& option) : option_(&option) {}

  Option& required();
  Option& check(const Check& check);
  /// Help shows what the variable holds now, or `text`.
  Option& show_default();
  Option& show_default(const std::string& text);
  Option& excludes(const Option& other);
  Option& needs(const Option& other);
  /// Given several times it takes one value each time, and keeps all.
  Option& one_at_a_time();
  /// It may stand without its value.
  Option& value_optional();

 private:
  CLI::Option* option_;
};

/// A subcommand while it is declared: a handle, valid as long as the program's command line. Variables that options
/// write live as long as the action that `runs` is given: keep both in a shared_ptr.
class Command {
 public:
  /// `action` is where the chosen subcommand's own is put; it outlives the command line.
  Command(CLI::App& app, Action& action) : app_(&app), action_(&action) {}

  Command subcommand(const std::string& name, const std::string& summary);
  /// Help does not show it.
  void hide();
  /// One of its own subcommands must be named.
  void need_subcommand();

  /// "--name" or, without dashes, an argument that is known by its place.
  Option option(const std::string& name, std::string& value, const std::string& help);
  Option option(const std::string& name, std::filesystem::path& value, const std::string& help);
  Option option(const std::string& name, int& value, const std::string& help);
  Option option(const std::string& name, std::optional<int>& value, const std::string& help);
  Option option(const std::string& name, std::int64_t& value, const std::string& help);
  Option option(const std::string& name, std::uint64_t& value, const std::string& help);
  Option option(const std::string& name, double& value, const std::string& help);
  Option option(const std::string& name, std::vector<std::string>& values, const std::string& help);
  Option option(const std::string& name, std::vector<std::filesystem::path>& values, const std::string& help);
  /// `set` is given the text, empty where it stands without a value; the Error that it throws is said of this option.
  Option option(const std::string& name, std::function<void(const std::string&)> set, const std::string& help);
  Option flag(const std::string& name, bool& value, const std::string& help);

  void runs(Action action);

 private:
  CLI::App* app_;
  Action* action_;
};

}  // namespace kvmesh::cli
