#include "llm/host.hpp"

#include "base/error.hpp"
#include "llm/text/stop_tokens.hpp"

namespace kvmesh::llm {

Host Host::load(const std::filesystem::path& model_dir, const Model::Options& options) {
  Host host(Model::load(model_dir, options), Tokenizer::load(model_dir));
  host.model_dir_ = model_dir;
  if (ChatTemplate::exists(model_dir))
    host.chat_template_ = std::make_shared<const ChatTemplate>(ChatTemplate::load(model_dir));
  host.stop_tokens_ = gather_stop_tokens(read_stop_tokens(model_dir), host.tokenizer_, host.chat_template_.get());
  return host;
}

std::string Host::user_turn(std::string_view text, std::string_view system) const {
  if (!chat_template_)
    fail_input(model_dir_.string(), ": has no chat template; say `chat: false` (or --raw) to give it raw text");
  return chat_template_->render_user_turn(text, system);
}

std::vector<std::int64_t> Host::encode_prompt(std::string_view text, bool chat, std::string_view system) const {
  return chat ? tokenizer_.encode(user_turn(text, system), /*add_special=*/false)
              : tokenizer_.encode(text, /*add_special=*/true);
}

}  // namespace kvmesh::llm
