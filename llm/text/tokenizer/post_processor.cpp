#include "llm/text/tokenizer/post_processor.hpp"

#include <algorithm>
#include <string>

namespace kvmesh::llm {
namespace {

using Ids = std::vector<std::int64_t>;

/// ByteLevel: it moves offsets, which we do not keep.
class Nothing final : public PostProcessor {
 public:
  Ids apply(Ids ids) const override { return ids; }
  bool adds_tokens() const override { return false; }
};

/// What a template puts before, between and after the copies of the text; usually there is one copy.
class Template final : public PostProcessor {
 public:
  explicit Template(const Description& description) {
    const Description single = description.at("single");
    for (std::size_t index = 0; index < single.size(); ++index) {
      const Description item = single.at(index);
      if (item.has("SpecialToken")) {
        add_special(description, item.at("SpecialToken"));
      } else if (item.has("Sequence")) {
        if (item.at("Sequence").text("id", "A") != "A") item.fail("a template for one text has no sequence but A");
        around_.emplace_back();
      } else {
        item.fail("expected SpecialToken or Sequence");
      }
    }
  }

  /// BERT's and RoBERTa's: `first`, the text, `last`.
  Template(std::int64_t first, std::int64_t last) : around_{{first}, {last}} {}

  Ids apply(Ids ids) const override {
    Ids out = around_.front();
    for (std::size_t copy = 1; copy < around_.size(); ++copy) {
      out.insert(out.end(), ids.begin(), ids.end());
      out.insert(out.end(), around_[copy].begin(), around_[copy].end());
    }
    return out;
  }
  bool adds_tokens() const override {
    return std::any_of(around_.begin(), around_.end(), [](const Ids& ids) { return !ids.empty(); });
  }

 private:
  void add_special(const Description& description, const Description& item) {
    const Description entry = description.at("special_tokens").at(item.text("id"));
    const Description ids = entry.at("ids");
    for (std::size_t index = 0; index < ids.size(); ++index) around_.back().push_back(ids.at(index).number());
  }

  std::vector<Ids> around_{Ids{}};
};

class PostProcessorSequence final : public PostProcessor {
 public:
  explicit PostProcessorSequence(const Description& steps) {
    for (std::size_t index = 0; index < steps.size(); ++index) steps_.push_back(make_post_processor(steps.at(index)));
  }

  Ids apply(Ids ids) const override {
    for (const auto& step : steps_) ids = step->apply(std::move(ids));
    return ids;
  }
  bool adds_tokens() const override {
    return std::any_of(steps_.begin(), steps_.end(), [](const auto& step) { return step->adds_tokens(); });
  }

 private:
  std::vector<std::unique_ptr<const PostProcessor>> steps_;
};

std::int64_t id_of(const Description& pair) {
  if (pair.size() != 2) pair.fail("expected [token, id]");
  return pair.at(std::size_t{1}).number();
}

}  // namespace

std::unique_ptr<const PostProcessor> make_post_processor(const Description& description) {
  const std::string type = description.text("type");
  if (type == "TemplateProcessing") return std::make_unique<Template>(description);
  if (type == "ByteLevel") return std::make_unique<Nothing>();
  if (type == "BertProcessing" || type == "RobertaProcessing") {
    return std::make_unique<Template>(id_of(description.at("cls")), id_of(description.at("sep")));
  }
  if (type == "Sequence") return std::make_unique<PostProcessorSequence>(description.at("processors"));
  description.fail("the post-processor type \"", type,
                   "\" is not supported; TemplateProcessing, ByteLevel, BertProcessing, RobertaProcessing and Sequence "
                   "are");
}

}  // namespace kvmesh::llm
