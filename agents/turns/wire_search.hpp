#pragma once

#include <cstddef>
#include <vector>

#include "agents/turns/layer_search.hpp"
#include "agents/wiring.hpp"
#include "bus/control.hpp"
#include "kvcodec/layer_kv.hpp"
#include "llm/model/model.hpp"

namespace kvmesh::agents {

/// How much of what the shared layers gain may be lost to fewer bits.
inline constexpr double kLostToBits = 0.02;

/// Of int4, int8 and bf16 the fewest bits with which the layers that `edge` shares lose at most kLostToBits of what
/// they gain unquantised, on the records that check (docs/method.md); "same" where none does. Adds to `found`, which
/// has what layers are chosen by, the choice and the losses that it was made by.
void choose_wire(const llm::Model& model, const InboundEdge& edge, std::size_t number,
                 const std::vector<SearchSample>& samples, const SearchHooks& hooks, bus::EdgeScores& found);

/// Rows of one sender's layer, from its first on, as they come to stand in a receiver's cache of the same dtype when
/// they travel as `wire`; where that quantises, the first row of all travels in bf16.
kvcodec::LayerKv as_received(const kvcodec::LayerKv& rows, wire::WireDtype wire);

}  // namespace kvmesh::agents
