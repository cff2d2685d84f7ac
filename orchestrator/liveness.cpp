#include "orchestrator/liveness.hpp"

#include <charconv>
#include <map>

#include "base/error.hpp"
#include "bus/liveness.hpp"

namespace kvmesh::orchestrator {

std::chrono::milliseconds parse_liveness(const std::string& text) {
  static const std::map<std::string, std::int64_t> kUnits{{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}};
  std::int64_t number = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number);
  const auto unit = kUnits.find(std::string(end, last));
  constexpr std::int64_t most = bus::Liveness::kLongest.count();
  if (error != std::errc() || unit == kUnits.end() || number < 0)
    fail_input("liveness is \"", text, "\"; write a whole number and its unit, ms, s, m or h: 10s");
  const std::chrono::milliseconds liveness(number > most ? most + 1 : number * unit->second);
  check_liveness(liveness);
  return liveness;
}

void check_liveness(std::chrono::milliseconds liveness) {
  if (liveness < bus::Liveness::kShortest || liveness > bus::Liveness::kLongest)
    fail_input("liveness is ", liveness.count(), " ms; take 1s to 24h");
}

}  // namespace kvmesh::orchestrator
