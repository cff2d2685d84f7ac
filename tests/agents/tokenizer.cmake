# Tests of the tokenizer and the chat templates, relative to tests/agents.
set(KVMESH_TOKENIZER_TESTS
  sampling/sampler_test.cpp tokenizer/test_tokenizer.cpp tokenizer/test_tokenizer_shared.cpp chat/test_chat_template.cpp)
