# Sources of the tokenizer and the chat templates, relative to agents/llm.
set(KVMESH_TOKENIZER_SOURCES "")
