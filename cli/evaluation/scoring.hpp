#pragma once

#include <string>
#include <vector>

namespace kvmesh::cli {

/// Lower case, punctuation and the articles a, an, the removed, white space folded: SQuAD's normalisation.
std::string normalise_answer(const std::string& text);

/// How good one answer is, each the best over the accepted answers.
struct AnswerScore {
  double exact_match = 0;    ///< 1 where the normalised texts are equal
  double f1 = 0;             ///< token F1 as SQuAD counts it: bags of tokens
  double f1_above_half = 0;  ///< the released code's boolean, token-set F1 > 0.5, without its lemmatising
  double contains = 0;       ///< 1 where the normalised accepted text is somewhere in the normalised answer
};
AnswerScore score_answer(const std::string& answer, const std::vector<std::string>& accepted);

/// Mean and the 95% interval of the mean by bootstrap: 1,000 resamples from a fixed seed, 2.5th and 97.5th percentile.
struct Interval {
  double mean = 0;
  double low = 0;
  double high = 0;
};
Interval bootstrap(const std::vector<double>& values);

/// The p-th percentile (0 to 100) by linear interpolation; 0 for no values.
double percentile(std::vector<double> values, double p);

}  // namespace kvmesh::cli
