# Tests of the tokenizer and the chat templates, relative to tests/agents.
set(KVMESH_TOKENIZER_TESTS "")
