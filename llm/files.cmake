# What reads a checkpoint folder and knows no ATen, so that a program that hosts no model need not load libtorch:
# configuration, headers and index of the weights, tokenizer, chat templates. scripts/check holds these files to it.
set(KVMESH_LLM_FILES_SOURCES
  model/check.cpp
  model/checkpoint.cpp
  model/compute_options.cpp
  model/config.cpp
  model/finite.cpp
  model/flops.cpp
  model/folder_files.cpp
  model/gguf.cpp
  model/gguf_config.cpp
  model/gguf_metadata.cpp
  model/safetensors.cpp
  model/stored_dtype.cpp
  model/tensor_file.cpp
  model/weight_sources.cpp
  model/families/common.cpp
  model/families/gemma.cpp
  model/families/llama.cpp
  model/families/mistral.cpp
  model/families/qwen.cpp
  ${KVMESH_TEXT_SOURCES})
