#include "cli/evaluation/scoring.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <sstream>

namespace kvmesh::cli {
namespace {

std::vector<std::string> tokens_of(const std::string& text) {
  std::istringstream words(normalise_answer(text));
  std::vector<std::string> tokens;
  for (std::string word; words >> word;) tokens.push_back(word);
  return tokens;
}

double f1_of(double common, double answer, double accepted) {
  if (answer == 0 || accepted == 0) return answer == accepted ? 1 : 0;
  if (common == 0) return 0;
  const double precision = common / answer, recall = common / accepted;
  return 2 * precision * recall / (precision + recall);
}

double bag_f1(const std::vector<std::string>& answer, const std::vector<std::string>& accepted) {
  std::map<std::string, int> left;
  for (const std::string& token : accepted) ++left[token];
  double common = 0;
  for (const std::string& token : answer)
    if (auto found = left.find(token); found != left.end() && found->second-- > 0) ++common;
  return f1_of(common, static_cast<double>(answer.size()), static_cast<double>(accepted.size()));
}

double set_f1(const std::vector<std::string>& answer, const std::vector<std::string>& accepted) {
  const std::set<std::string> a(answer.begin(), answer.end()), b(accepted.begin(), accepted.end());
  const auto common = std::count_if(a.begin(), a.end(), [&](const std::string& token) { return b.count(token) != 0; });
  return f1_of(static_cast<double>(common), static_cast<double>(a.size()), static_cast<double>(b.size()));
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

std::string normalise_answer(const std::string& text) {
  std::string plain;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::ispunct(byte) == 0) plain += static_cast<char>(std::tolower(byte));
  }
  std::istringstream words(plain);
  std::string normal;
  for (std::string word; words >> word;)
    if (word != "a" && word != "an" && word != "the") normal += (normal.empty() ? "" : " ") + word;
  return normal;
}

AnswerScore score_answer(const std::string& answer, const std::vector<std::string>& accepted) {
  AnswerScore best;
  const std::string normal = normalise_answer(answer);
  const std::vector<std::string> tokens = tokens_of(answer);
  for (const std::string& text : accepted) {
    const std::string normal_text = normalise_answer(text);
    const std::vector<std::string> want = tokens_of(text);
    const bool equal = normal == normal_text;
    // Nothing is in everything: a text that normalises to nothing is found in its equal alone.
    const bool within = normal_text.empty() ? equal : normal.find(normal_text) != std::string::npos;
    best.exact_match = std::max(best.exact_match, equal ? 1.0 : 0.0);
    best.contains = std::max(best.contains, within ? 1.0 : 0.0);
    best.f1 = std::max(best.f1, bag_f1(tokens, want));
    best.f1_above_half = std::max(best.f1_above_half, set_f1(tokens, want) > 0.5 ? 1.0 : 0.0);
  }
  return best;
}

Interval bootstrap(const std::vector<double>& values) {
  if (values.empty()) return {};
  constexpr int kResamples = 1000;
  std::mt19937_64 random(20251003);
  std::vector<double> means, sample(values.size());
  for (int i = 0; i < kResamples; ++i) {
    for (double& value : sample) value = values[random() % values.size()];
    means.push_back(mean_of(sample));
  }
  return {mean_of(values), percentile(means, 2.5), percentile(means, 97.5)};
}

double percentile(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double at = p / 100 * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(std::floor(at)), high = std::min(low + 1, values.size() - 1);
  return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

}  // namespace kvmesh::cli
