# Sources of the tokenizer and the chat templates, relative to agents/llm.
set(KVMESH_TOKENIZER_SOURCES
  tokenizer.cpp tokenizer/added_tokens.cpp 
  tokenizer/bpe.cpp 
  tokenizer/byte_level.cpp 
  tokenizer/decoder.cpp 
  tokenizer/description.cpp 
  tokenizer/normalizer.cpp 
  tokenizer/pattern.cpp 
  tokenizer/post_processor.cpp 
  tokenizer/pre_tokenizer.cpp 
  tokenizer/regex.cpp 
  tokenizer/regex_translate.cpp 
  tokenizer/split.cpp 
  tokenizer/utf8.cpp)
