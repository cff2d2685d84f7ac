#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace kvmesh::cli {

/// Prompt templates, as topologies have them. In the sender's, {context} is what that sender reads; in the one that
/// revises, {from.drafter} is the receiver's own first answer and {from.reader} what the sender (all of them) says.
struct Prompts {
  std::string sender = "Instruction: {instruction} Context: {context}";
  std::string aware =
      "Another agent has to answer a question about the context and cannot see it. Write down what it needs to know. "
      "Context: {context}";
  std::string receiver = "Instruction: {instruction} Question: {question}";
  std::string skyline = "Instruction: {instruction} Context: {context} Question: {question}";
  std::string revise =
      "Instruction: {instruction} Question: {question} Your previous answer: {from.drafter} Another agent's answer: "
      "{from.reader} Revise your answer.";
};

/// What every method of a comparison has in common.
struct Comparison {
  std::vector<std::filesystem::path> senders;  ///< one serves all contexts, or one for each
  std::filesystem::path receiver;
  Prompts prompts;
  int max_tokens = 32;
  std::string dtype = "auto";
  std::string device = "cpu";
};

/// A method by its name, taken apart: "kv:0.3:alpha=0.8" is {"kv", {"0.3"}, {{"alpha", "0.8"}}}.
struct Method {
  std::string name;
  std::string kind;
  std::vector<std::string> arguments;
  std::map<std::string, std::string> options;

  /// True where the best layers are shared.
  bool ranked() const { return (kind == "kv" && arguments.front() != "all") || kind == "top"; }
  /// True where what numbers travel as is measured.
  bool chooses_bits() const {
    const auto wire = options.find("wire");
    return wire != options.end() && wire->second == "auto";
  }
  /// True where something is measured first.
  bool calibrated() const { return ranked() || chooses_bits(); }
  /// True where single KV heads are chosen.
  bool by_heads() const {
    const auto unit = options.find("unit");
    return unit != options.end() && unit->second == "head";
  }
};

/// Takes a method's name apart. Throws Error{kFixInput} that quotes one which is not known and lists those that are:
/// - baseline: the receiver with the question alone
/// - skyline: one model that reads everything
/// - kv:R, top:N: shared KV, the share R or the N best of the layers; by=loss (the default), with unit=head
///   of the KV heads, or by=attention, with alpha=, mu=, sigma=
/// - kv:all: shared KV, every layer
/// - random:R[:SEED]: shared KV, random layers, drawn anew for each record
/// - contiguous:R: shared KV, one run of layers; mu=
/// - nld, nld:aware: debate in text; aware: the sender knows that it writes for another agent; tokens=
/// - cipher: debate in expected embeddings; tokens=, temperature=
/// - ac:HOW[:K:J]: the sender's last state, entering layer K, put in before layer J of the receiver; HOW is
///   replace, sum or mean; without K and J, both are in the middle
Method parse_method(const std::string& name);
/// "baseline,kv:0.3" taken apart at its commas. Throws as parse_method(), and for a method that stands twice.
std::vector<Method> parse_methods(const std::string& names);

/// The topology that a method is, as the text of a topology file: a reader for each of `contexts`, a solver, and a
/// drafter where there is a debate. `profile`: the file that it names, empty for none.
std::string topology_of(const Method& method, const Comparison& comparison, std::size_t contexts,
                        const std::string& profile = "");

}  // namespace kvmesh::cli
