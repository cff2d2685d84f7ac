#include "base/sampling_options.hpp"

#include <cmath>

#include "base/error.hpp"

namespace kvmesh {

std::string problem_of(const SamplingOptions& options) {
  if (!(options.temperature >= 0 && std::isfinite(options.temperature)))
    return cat("temperature is ", options.temperature, ", but must be 0 (greedy) or above");
  if (options.top_k < 0) return cat("top_k is ", options.top_k, ", but must be 0 (all tokens) or above");
  if (!(options.top_p > 0 && options.top_p <= 1))
    return cat("top_p is ", options.top_p, ", but must be above 0 and at most 1");
  if (!(options.min_p >= 0 && options.min_p <= 1))
    return cat("min_p is ", options.min_p, ", but must be between 0 and 1");
  if (!(options.repetition_penalty > 0 && std::isfinite(options.repetition_penalty)))
    return cat("repetition_penalty is ", options.repetition_penalty, ", but must be above 0");
  if (options.temperature > 0) return "";
  const char* idle = options.top_k != 0   ? "top_k"
                     : options.top_p != 1 ? "top_p"
                     : options.min_p != 0 ? "min_p"
                                          : nullptr;
  return idle == nullptr ? "" : cat(idle, " needs a temperature above 0: without one the best token is always taken");
}

}  // namespace kvmesh
