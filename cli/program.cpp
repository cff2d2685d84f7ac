#include "cli/program.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>
#include <string>

#include "base/error.hpp"
#include "cli/output.hpp"

namespace kvmesh::cli {
namespace {

/// A descriptor that the caller closed would be given to the next file or socket, and results would be written there.
/// Writing to this one fails.
void occupy_standard_descriptors() {
  while (true) {
    const int opened = ::open("/dev/null", O_RDONLY);
    if (opened > STDERR_FILENO) ::close(opened);
    if (opened < 0 || opened > STDERR_FILENO) return;
  }
}

/// The command that the arguments begin with.
struct NamedCommand {
  CLI::App* app = nullptr;       ///< null: they name none
  std::string words = "kvmesh";  ///< "kvmesh bench llm"
};

NamedCommand named_command(CLI::App& app, int argc, char** argv) {
  NamedCommand named;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto inner =
        (named.app ? *named.app : app).get_subcommands([&](CLI::App* one) { return one->get_name() == word; });
    if (inner.empty()) break;
    named.app = inner.front();
    named.words += ' ' + word;
  }
  return named;
}

/// An option on the command line that `command` does not have; empty: none. CLI11 speaks of what is required first, so
/// that a misspelt option would hide behind the one that it was meant to be.
std::string unknown_option(const CLI::App& command, int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--") break;
    if (!argument.starts_with("--") || argument.size() == 2) continue;
    const std::string name = argument.substr(0, argument.find('='));
    if (command.get_option_no_throw(name) == nullptr && name != "--help") return name;
  }
  return "";
}

/// One line that says what is wrong with the command line, and where help is.
int refuse(const std::string& wrong, const std::string& command) {
  std::cerr << "kvmesh: " << printable(wrong) << "; " << command << " --help lists what there is\n";
  return kExitBadInput;
}

/// Help and the version were asked for, or the command line is wrong.
int end_of_parsing(CLI::App& app, const CLI::ParseError& error, int argc, char** argv, std::ostream& out) {
  const NamedCommand command = named_command(app, argc, argv);
  const std::string first = argc > 1 ? argv[1] : "";
  if (command.app == nullptr && !first.empty() && first[0] != '-')
    return refuse("there is no command \"" + first + "\"", "kvmesh");
  if (error.get_exit_code() == 0) return app.exit(error, out, std::cerr);
  const std::string option = unknown_option(command.app ? *command.app : app, argc, argv);
  return refuse(option.empty() ? error.what() : "there is no option " + option, command.words);
}

int run_action(const Action& action, std::ostream& out) {
  const int status = action(out);
  out.flush();
  return status;
}

/// As every program ends whose reader goes away: nobody is told, and a shell sees the signal.
int end_by_sigpipe() {
  std::signal(SIGPIPE, SIG_DFL);
  ::raise(SIGPIPE);
  return kExitMeshFailed;
}

}  // namespace

int run_program(int argc, char** argv, const std::function<void(Command)>& add_commands) {
  occupy_standard_descriptors();
  // A reader that goes away is an error of that write; what runs is ended in order first.
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("kvmesh: language models that talk in KV cache", "kvmesh");
  app.require_subcommand(1);
  app.set_version_flag("--version", KVMESH_VERSION, "Print the version");
  app.set_help_flag("-h,--help", "Print this help");
  Action action;
  Output out(STDOUT_FILENO);
  try {
    add_commands(Command(app, action));
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      const int status = end_of_parsing(app, error, argc, argv, out);
      out.flush();
      return status;
    }
    return run_action(action, out);
  } catch (const ReaderGone&) {
    return end_by_sigpipe();
  } catch (const Error& error) {
    std::cerr << "kvmesh: " << printable(error.what()) << '\n';
    return error.kind() == ErrorKind::kFixInput ? kExitBadInput : kExitMeshFailed;
  } catch (const std::exception& error) {
    std::cerr << "kvmesh: " << printable(error.what()) << '\n';
    return kExitMeshFailed;
  }
}

}  // namespace kvmesh::cli
