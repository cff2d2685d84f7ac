# Sources of the tokenizer and the chat templates, relative to agents/llm.
set(KVMESH_TOKENIZER_SOURCES
  tokenizer.cpp chat_template.cpp
  tokenizer/added_tokens.cpp tokenizer/bpe.cpp tokenizer/byte_level.cpp tokenizer/decoder.cpp
  tokenizer/description.cpp tokenizer/normalizer.cpp tokenizer/pattern.cpp tokenizer/post_processor.cpp
  tokenizer/pre_tokenizer.cpp tokenizer/regex.cpp tokenizer/regex_translate.cpp tokenizer/split.cpp
  tokenizer/utf8.cpp
  jinja/bound.cpp jinja/context.cpp jinja/expression.cpp jinja/expression_parser.cpp jinja/filters_list.cpp
  jinja/filters_text.cpp jinja/format.cpp jinja/globals.cpp jinja/json_text.cpp jinja/lexer.cpp jinja/methods.cpp
  jinja/operators.cpp jinja/parser.cpp jinja/statement.cpp jinja/string_methods.cpp jinja/tests.cpp jinja/text.cpp
  jinja/value.cpp)
