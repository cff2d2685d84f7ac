#!/usr/bin/env python3
"""Writes a GGUF file of Llama 3 8B's shape in the types of Q4_K_M, with random weights, for `bench_llm --gguf`:

  python3 bench/llm/make_8b.py FILE.gguf [LAYERS]      # 4.9 GB with 32 layers; needs numpy
"""

import struct
import sys

import numpy as np

HIDDEN, FFN, HEADS, KV_HEADS, HEAD_DIM, VOCAB = 4096, 14336, 32, 8, 128, 128256
F32, Q4_K, Q6_K = 0, 12, 14
BLOCK = {Q4_K: (144, [0, 2]), Q6_K: (210, [208])}  # bytes of 256 numbers, and where the scales stand
SCALE = {Q4_K: 0.0003, Q6_K: 0.00001}


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def keys(layers):
    number = {"block_count": layers, "context_length": 8192, "embedding_length": HIDDEN, "feed_forward_length": FFN,
              "attention.head_count": HEADS, "attention.head_count_kv": KV_HEADS, "rope.dimension_count": HEAD_DIM,
              "vocab_size": VOCAB}
    out = [text("general.architecture") + struct.pack("<I", 8) + text("llama"),
           text("tokenizer.ggml.model") + struct.pack("<I", 8) + text("no_vocab"),
           text("llama.rope.freq_base") + struct.pack("<If", 6, 500000.0),
           text("llama.attention.layer_norm_rms_epsilon") + struct.pack("<If", 6, 1e-5)]
    return out + [text("llama." + name) + struct.pack("<II", 4, value) for name, value in number.items()]


def tensors(layers):
    kv = KV_HEADS * HEAD_DIM
    yield "token_embd.weight", (VOCAB, HIDDEN), Q4_K
    for i in range(layers):
        more = Q6_K if i < layers // 8 or i >= 7 * layers // 8 or i % 3 == 2 else Q4_K  # llama.cpp's use_more_bits
        yield f"blk.{i}.attn_norm.weight", (HIDDEN,), F32
        yield f"blk.{i}.attn_q.weight", (HIDDEN, HIDDEN), Q4_K
        yield f"blk.{i}.attn_k.weight", (kv, HIDDEN), Q4_K
        yield f"blk.{i}.attn_v.weight", (kv, HIDDEN), more
        yield f"blk.{i}.attn_output.weight", (HIDDEN, HIDDEN), Q4_K
        yield f"blk.{i}.ffn_norm.weight", (HIDDEN,), F32
        yield f"blk.{i}.ffn_gate.weight", (FFN, HIDDEN), Q4_K
        yield f"blk.{i}.ffn_up.weight", (FFN, HIDDEN), Q4_K
        yield f"blk.{i}.ffn_down.weight", (HIDDEN, FFN), more
    yield "output_norm.weight", (HIDDEN,), F32
    yield "output.weight", (VOCAB, HIDDEN), Q6_K


def size_of(shape, kind):
    count = int(np.prod(shape))
    return 4 * count if kind == F32 else count // 256 * BLOCK[kind][0]


def data_of(shape, kind, rng):
    if kind == F32:
        return np.ones(shape, "<f4").tobytes()
    size, scales = BLOCK[kind]
    blocks = rng.integers(0, 256, (int(np.prod(shape)) // 256, size), dtype=np.uint8)
    for at in scales:
        blocks[:, at:at + 2] = np.full(len(blocks), SCALE[kind], "<f2").view(np.uint8).reshape(-1, 2)
    return blocks.tobytes()


def padded(size):
    return (size + 31) // 32 * 32


def main():
    layers = int(sys.argv[2]) if len(sys.argv) > 2 else 32
    table, offset = [], 0
    for name, shape, kind in tensors(layers):
        extents = struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
        table.append(text(name) + extents + struct.pack("<IQ", kind, offset))
        offset += padded(size_of(shape, kind))
    header = keys(layers)
    rng = np.random.default_rng(1)
    with open(sys.argv[1], "wb") as out:
        out.write(b"GGUF" + struct.pack("<IQQ", 3, len(table), len(header)) + b"".join(header) + b"".join(table))
        out.write(b"\0" * (padded(out.tell()) - out.tell()))
        for _, shape, kind in tensors(layers):
            data = data_of(shape, kind, rng)
            out.write(data + b"\0" * (padded(len(data)) - len(data)))


if __name__ == "__main__":
    main()
