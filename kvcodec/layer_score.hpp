#pragma once

#include <span>
#include <vector>

namespace kvmesh::kvcodec {

/// How much each receiver layer is worth sharing, a number a layer:
///   alpha * S_l + (1 - alpha) * P_l,  S = minmax(importances),  P = minmax(exp(-(l - mu (L-1))^2 / (2 sigma^2)))
/// where L is the number of importances, and the minmax of equal numbers is all zeros (docs/method.md). `importances`
/// are the calibrated attention masses, averaged over the samples; mu is a share of the depth, sigma counts layers.
/// Throws Error{kFixInput}: an importance that is not finite, alpha or mu outside [0, 1], sigma not above 0.
std::vector<double> layer_scores(std::span<const double> importances, double alpha, double mu, double sigma);

/// Every layer, best score first; of equal scores the lower layer first.
std::vector<int> rank_layers(std::span<const double> scores);

}  // namespace kvmesh::kvcodec
