#pragma once

#include <set>
#include <string>
#include <vector>

#include "orchestrator/topology.hpp"

/// Who hears whom: what follows from a topology's edges.
namespace kvmesh::orchestrator {

/// The edges that end at `agent`, or start there, in declared order. They point into `topology`.
std::vector<const Edge*> inbound_edges(const Topology& topology, const std::string& agent);
std::vector<const Edge*> outbound_edges(const Topology& topology, const std::string& agent);

/// Agents along one cycle, the first again at the end; empty where there is none.
std::vector<std::string> find_cycle(const Topology& topology);

/// Every agent after all that it hears; among those that could come next, the first declared does. Throws
/// Error{kGiveUp} where there is a cycle.
std::vector<std::string> topological_order(const Topology& topology);

/// How many of the agents `there`, which share a host's cores, compute at the same time, at least 1. While one record
/// is under way: the most of them that stand equally deep in the graph. Those begin together, while an agent behind
/// another waits for it first: reader and solver each have every core, two readers half of them. With several records
/// under way every agent computes at the same time.
int computing_together(const Topology& topology, const std::set<std::string>& there, bool several_records);
/// Compute threads for each agent where all share `cores`, at least 1.
int compute_threads(const Topology& topology, int cores, bool several_records);

/// True where `agent` is asked for an answer: it is the output, has a generate block, or something that it generated
/// travels on (text, or kv with prompt+output).
bool generates(const Topology& topology, const AgentSpec& agent);
/// The bound of that answer: the generate block's, else the largest of its edges', else kDefaultMaxTokens.
int answer_tokens(const Topology& topology, const AgentSpec& agent);

/// True for the first kv edge of its receiver: its sender's first token is the attention sink.
bool carries_sink(const Topology& topology, const Edge& edge);

/// True for a kv edge whose layers, or whose form of numbers, somebody has to measure.
bool needs_scores(const Edge& edge);
/// True where that is measured by loss: its receiver is asked for a search.
bool needs_search(const Edge& edge);

}  // namespace kvmesh::orchestrator
