# Tests of the tokenizer, the chat templates and sampling, relative to tests/agents.
set(KVMESH_TOKENIZER_TESTS
  chat/test_chat_template.cpp sampling/sampler_test.cpp sampling/stop_strings_test.cpp tokenizer/test_tokenizer.cpp
  tokenizer/test_tokenizer_shared.cpp tokenizer/test_tokenizer_table.cpp)
