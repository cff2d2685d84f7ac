#pragma once

#include <memory>

#include "llm/text/tokenizer/normalizer.hpp"

namespace kvmesh::llm {

/// "BertNormalizer": cleans control characters away, puts spaces around Chinese characters, takes accents off, makes
/// letters small, each where `description` wants it.
std::unique_ptr<const Normalizer> make_bert_normalizer(const Description& description);

}  // namespace kvmesh::llm
