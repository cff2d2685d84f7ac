#include "agents/turns/turn.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <optional>

#include "agents/media/activation.hpp"
#include "agents/media/embedding.hpp"
#include "agents/media/text.hpp"
#include "agents/outbox.hpp"
#include "agents/turns/prompt_input.hpp"
#include "agents/turns/search_turn.hpp"
#include "agents/turns/targets.hpp"
#include "agents/turns/turn_plan.hpp"
#include "base/error.hpp"
#include "kvcodec/decode.hpp"
#include "llm/decode/answer_text.hpp"
#include "llm/decode/generate.hpp"
#include "llm/model/flops.hpp"

namespace kvmesh::agents {
namespace {

double milliseconds(Turn::Clock::duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

}  // namespace

/// The state of one turn, in the order of its members' first use.
class RunningTurn::Steps {
 public:
  Steps(const llm::Host& host, Wiring wiring, Turn turn, TurnHooks hooks)
      : host_(host),
        model_(host.model()),
        wiring_(std::move(wiring)),
        turn_(std::move(turn)),
        hooks_(std::move(hooks)),
        plan_(plan_turn(wiring_, turn_.task)),
        kv_(turn_.kv ? turn_.kv : std::make_shared<KvArrivals>(model_, wiring_)),
        cache_(kv_->cache()),
        outbox_(model_, wiring_, turn_.task, hooks_.publish, hooks_.reuse),
        targets_(host_.tokenizer(), turn_.task.targets),
        answer_(host_.tokenizer(), turn_.task.stop) {
    result_.request = turn_.task.request;
  }

  const std::string& request() const { return turn_.task.request; }
  llm::KvCache& cache() { return cache_; }

  std::optional<std::int64_t> begin() {
    open_inbox();
    prefill();
    std::optional<std::int64_t> first;
    if (plan_.generates) {
      make_generator();
      first = generator_->next(logits_);
      if (generator_->tokens().empty()) stamp_first_token();
    }
    // Behind the first token, whose time is then what it is without targets.
    if (!targets_.empty()) {
      Targets::Cheapest cheapest = targets_.cheapest(model_, cache_, logits_);
      result_.target_nats = cheapest.nats;
      search_target_ = std::move(cheapest.ids);
    }
    return first;
  }

  std::optional<std::int64_t> next(const at::Tensor& logits) {
    refuse_if_over();
    result_.flops += llm::forward_flops(model_.config(), 1, rows_before_token_, 1);
    for (std::int64_t& rows : rows_before_token_) ++rows;
    return generator_->next(logits);
  }

  bus::Result finish() {
    if (generator_) send_output();
    send_embeddings();
    report();
    return std::move(result_);
  }

 private:
  void open_inbox() {
    for (std::size_t i = 0; i < wiring_.inbound.size(); ++i) {
      const InboundEdge& edge = wiring_.inbound[i];
      const std::vector<wire::WireMessage>& messages = turn_.inbox.at(i);
      switch (edge.spec.medium) {
        case wire::Medium::kKv: kv_edges_.push_back(&edge); break;
        case wire::Medium::kText: said_.text[edge.spec.from] = kvcodec::decode_text(messages.front()); break;
        case wire::Medium::kEmbedding:
          said_.vectors[edge.spec.from] = vectors_of(model_, edge, messages.front());
          break;
        case wire::Medium::kActivation: injections_.push_back(injection_of(edge, messages.front())); break;
      }
    }
    if (plan_.needs_all_kv_first) kv_->wait_for_all(turn_.deadline);
    if (turn_.task.calibrate) make_meters();
  }

  void make_meters() {
    for (std::size_t i = 0; i < kv_edges_.size(); ++i) {
      std::vector<llm::RowRange> ranges = kv_->rows(i);
      // The very first token of all is the sink: every query looks at it, whatever it says.
      for (llm::RowRange& range : ranges) range.begin = std::max<std::int64_t>(range.begin, 1);
      meters_.emplace_back(ranges);
    }
  }

  void prefill() {
    PromptInput prompt = read_prompt(host_, turn_.task, said_);
    const at::Tensor embeddings = std::move(prompt.embeddings);
    prompt_ids_ = std::move(prompt.ids);
    check_room(embeddings.size(0));
    llm::ForwardInput input{.embeddings = embeddings,
                            .logits = reads_logits() ? llm::LogitRows::kLast : llm::LogitRows::kNone,
                            .injections = injections_};
    for (llm::AttentionMeter& meter : meters_) input.meters.push_back(&meter);
    input.capture_layers = captured_layers(wiring_);
    own_rows_ = embeddings.size(0);
    if (!turn_.task.search.empty()) prompt_ = embeddings;
    const bool alone = depends_on_prompt_alone();
    outbox_.offer(alone ? std::span<const std::int64_t>(prompt_ids_) : std::span<const std::int64_t>());
    const std::int64_t room = own_rows_ + std::max<std::int64_t>(plan_.max_tokens, targets_.rows());
    const std::int64_t known = alone && hooks_.prompts ? hooks_.prompts->begin(prompt_ids_, room, cache_) : 0;
    input.embeddings = embeddings.narrow(0, known, own_rows_ - known);
    outbox_.plan_kv(wire::Share::kPrompt, cache_, own_rows_);
    input.before_layer = [this, room](int layer) {
      refuse_if_over();
      kv_->wait_for(layer, turn_.deadline);
      llm::LayerCache& rows = cache_.layer(layer);
      rows.reserve(rows.shared_rows + room);
    };
    input.on_layer = [this](int layer) { outbox_.send_layer(layer, cache_.layer(layer), wire::Share::kPrompt); };
    const llm::ForwardOutput output = model_.forward(input, cache_);
    outbox_.finish_layers();
    std::vector<std::int64_t> rows_before = cache_.lengths();
    const std::int64_t computed = input.embeddings.size(0);
    for (std::int64_t& rows : rows_before) rows -= computed;
    result_.flops += llm::forward_flops(model_.config(), computed, rows_before, reads_logits() ? 1 : 0);
    result_.prefill_tokens = static_cast<std::uint64_t>(computed);
    logits_ = output.logits;
    send_activations(output.captured);
  }

  /// Whether our rows are the same wherever these tokens stand at the beginning: nothing is shared in front of them, no
  /// vectors stand among them, no state enters from outside, and no frequency changes with the length.
  bool depends_on_prompt_alone() const {
    return kv_edges_.empty() && injections_.empty() && static_cast<std::int64_t>(prompt_ids_.size()) == own_rows_ &&
           !llm::manifest_of(model_.config()).rope_depends_on_length;
  }

  /// Senders, prompt and what may be generated, or is a right answer, must fit into the model's positions.
  void check_room(std::int64_t tokens) const {
    const std::int64_t before = kv_edges_.empty() ? 0 : kv_->next_position();
    const std::int64_t limit = model_.config().position_limit;
    const std::int64_t output = std::max<std::int64_t>(plan_.longest_output, targets_.rows());
    if (before + tokens + output > limit)
      fail_input("shared contexts of ", before, " tokens, a prompt of ", tokens, " and up to ", output,
                 output > plan_.longest_output ? " of a right answer are " : " to generate are ",
                 before + tokens + output, " positions; the model has ", llm::describe_position_limit(model_.config()));
  }

  /// An agent that only shares its prompt has no use for what the model would say next.
  bool reads_logits() const { return plan_.generates || plan_.longest_output > 0 || !targets_.empty(); }

  void make_generator() {
    if (plan_.says_vectors) cache_before_output_ = cache_.copy();
    rows_before_token_ = cache_.lengths();
    llm::GenerateOptions options{.max_tokens = plan_.max_tokens,
                                 .stop_tokens = host_.stop_tokens(),
                                 .sampling = turn_.task.sampling,
                                 .stream = turn_.task.record_index,
                                 .prompt_tokens = prompt_ids_};
    options.complete_cache = plan_.shares_output;
    options.on_token = [this](std::int64_t id) {
      if (result_.generated_tokens++ == 0) stamp_first_token();
      if (!turn_.task.stop.empty()) answer_.push(id);
      return !answer_.stopped();
    };
    options.on_stop_token = [this](std::int64_t id) { stop_token_ = id; };
    generator_.emplace(std::move(options));
  }

  void stamp_first_token() {
    const auto now = Turn::Clock::now();
    result_.ttft_ms = milliseconds(now - turn_.received_at);
    result_.receiver_ttft_ms =
        milliseconds(now - std::max(turn_.complete_at, kv_->last_arrival().value_or(turn_.complete_at)));
  }

  bool cancelled() const { return hooks_.cancelled && hooks_.cancelled(); }

  void refuse_if_over() const {
    if (cancelled()) throw Error(ErrorKind::kRetry, "the request was cancelled");
    if (turn_.deadline && turn_.deadline->expired(Turn::Clock::now()))
      throw Error(ErrorKind::kRetry,
                  cat("the deadline passed when ", result_.generated_tokens, " tokens had been generated"));
  }

  void send_activations(const std::vector<at::Tensor>& captured) {
    std::size_t next = 0;
    for (std::size_t edge = 0; edge < wiring_.outbound.size(); ++edge)
      if (wiring_.outbound[edge].spec.medium == wire::Medium::kActivation)
        outbox_.send_tensor(edge, captured.at(next++), "state");
  }

  /// Each edge and the answer have a bound of their own.
  std::string said(std::span<const std::int64_t> tokens, int max_tokens) const {
    return text_said(host_.tokenizer(), tokens, stop_token_, max_tokens, turn_.task.stop);
  }

  void send_output() {
    const std::vector<std::int64_t>& tokens = generator_->tokens();
    if (turn_.task.generate) result_.answer = said(tokens, turn_.task.max_tokens);
    if (!turn_.task.stop.empty()) answer_.finish(stop_token_);
    if (answer_.stopped()) drop_rows_behind_text();
    outbox_.plan_kv(wire::Share::kPromptAndOutput, cache_, cache_.layer(0).length() - cache_.layer(0).shared_rows);
    for (int layer = 0; layer < cache_.layers(); ++layer)
      outbox_.send_layer(layer, cache_.layer(layer), wire::Share::kPromptAndOutput);
    outbox_.finish_layers();
    for (std::size_t edge = 0; edge < wiring_.outbound.size(); ++edge) {
      const wire::EdgeSpec& spec = wiring_.outbound[edge].spec;
      if (spec.medium == wire::Medium::kText) outbox_.send_text(edge, said(tokens, spec.max_tokens));
    }
  }

  /// What stands behind a stop string, and its own tokens, is not part of what was said: in the cache neither.
  void drop_rows_behind_text() {
    const auto kept = static_cast<std::int64_t>(answer_.tokens_before_stop());
    for (int layer = 0; layer < cache_.layers(); ++layer) {
      llm::LayerCache& rows = cache_.layer(layer);
      const std::int64_t own = rows.length() - rows.shared_rows;
      rows.drop_own(std::max<std::int64_t>(own - own_rows_ - kept, 0));
    }
  }

  void send_embeddings() {
    for (std::size_t edge = 0; edge < wiring_.outbound.size(); ++edge) {
      const wire::EdgeSpec& spec = wiring_.outbound[edge].spec;
      if (spec.medium != wire::Medium::kEmbedding) continue;
      llm::KvCache cache = cache_before_output_ ? cache_before_output_->copy() : cache_.copy();
      const std::vector<std::int64_t> rows = cache.lengths();
      const ExpectedEmbeddings said = generate_embeddings(model_, cache, logits_,
                                                          {.temperature = spec.temperature,
                                                           .max_steps = spec.max_tokens,
                                                           .stop_tokens = host_.stop_tokens(),
                                                           .keep_going = [this] { return !cancelled(); }});
      result_.generated_tokens += said.nearest.size();
      result_.flops += llm::forward_flops(model_.config(), said.vectors.size(0), rows, said.vectors.size(0));
      outbox_.send_tensor(edge, said.vectors, "vectors");
    }
  }

  /// The next prompt may begin with this one, and with what was said: a conversation goes on.
  void keep_prompt() {
    std::vector<std::int64_t> tokens = prompt_ids_;
    if (generator_) tokens.insert(tokens.end(), generator_->tokens().begin(), generator_->tokens().end());
    hooks_.prompts->keep(std::move(tokens), {kv_, &cache_});
  }

  void report() {
    if (hooks_.prompts && depends_on_prompt_alone()) keep_prompt();
    result_.edges = outbox_.reports();
    for (std::size_t i = 0; i < meters_.size(); ++i)
      result_.scores.push_back({kv_edges_[i]->spec.from, kv_edges_[i]->spec.to, meters_[i].scores()});
    if (!turn_.task.search.empty()) search();
  }

  void search() {
    SearchHooks hooks{.refuse_if_over = [this] { refuse_if_over(); }, .progress = hooks_.progress};
    gather_or_search({.model = model_,
                      .task = turn_.task,
                      .edges = kv_edges_,
                      .kv = *kv_,
                      .injected = !injections_.empty(),
                      .prompt = prompt_,
                      .right_answer = search_target_,
                      .said = generator_ ? generator_->tokens() : std::vector<std::int64_t>()},
                     *hooks_.samples, hooks, result_.scores);
  }

  const llm::Host& host_;
  const llm::Model& model_;
  const Wiring wiring_;
  const Turn turn_;
  const TurnHooks hooks_;
  const TurnPlan plan_;
  const std::shared_ptr<KvArrivals> kv_;
  llm::KvCache& cache_;  ///< where those arrive
  Outbox outbox_;
  std::vector<const InboundEdge*> kv_edges_;
  Said said_;
  std::vector<std::int64_t> prompt_ids_;
  std::vector<llm::Injection> injections_;
  std::vector<llm::AttentionMeter> meters_;
  std::int64_t own_rows_ = 0;
  at::Tensor prompt_;                        ///< as it was read, where layers are searched
  std::vector<std::int64_t> search_target_;  ///< of a right answer
  at::Tensor logits_;
  std::optional<llm::KvCache> cache_before_output_;
  const Targets targets_;
  llm::AnswerText answer_;  ///< where a stop string may end it
  std::optional<std::int64_t> stop_token_;
  std::optional<llm::Generator> generator_;
  std::vector<std::int64_t> rows_before_token_;  ///< of each layer, at the next token to be decoded
  bus::Result result_;
};

RunningTurn::RunningTurn(const llm::Host& host, Wiring wiring, Turn turn, TurnHooks hooks)
    : steps_(std::make_unique<Steps>(host, std::move(wiring), std::move(turn), std::move(hooks))) {}
RunningTurn::~RunningTurn() = default;

const std::string& RunningTurn::request() const { return steps_->request(); }
std::optional<std::int64_t> RunningTurn::begin() { return steps_->begin(); }
std::optional<std::int64_t> RunningTurn::next(const at::Tensor& logits) { return steps_->next(logits); }
llm::KvCache& RunningTurn::cache() { return steps_->cache(); }
bus::Result RunningTurn::finish() { return steps_->finish(); }

}  // namespace kvmesh::agents
