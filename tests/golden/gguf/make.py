#!/usr/bin/env python3
"""Makes quants.json, and the golden logits of real models, with PyPI's gguf and transformers:

  pip install gguf==0.19.0 transformers==5.24.0 torch==2.9.0
  python3 make.py quants                          # writes quants.json
  python3 make.py logits NAME MODEL.gguf          # writes NAME.json: smollm2, gemma3

quants.json: of each type some blocks of random bytes, whose scales are finite, and the numbers that gguf.quants makes of
them, both as hex. NAME.json: transformers reads the same file, makes fp32 of its weights and computes; of each row of
logits every 997th and the greatest are kept. `prefill` is one pass, `decode` one token at a time behind the first four,
`greedy` 48 tokens behind all.
"""

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
TYPES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "IQ4_NL": [0], "Q2_K": [80, 82],
         "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "F16": [], "BF16": []}
STEP = 997


def blocks_of(name, scales, rng):
    from gguf import GGMLQuantizationType, GGML_QUANT_SIZES
    kind = GGMLQuantizationType[name]
    numbers, size = GGML_QUANT_SIZES[kind]
    if not scales:
        blocks = rng.standard_normal((1, 64)).astype(np.float32)
        half = blocks.astype(np.float16).view(np.uint8) if name == "F16" else (blocks.view(np.uint32) >> 16).astype(
            np.uint16).view(np.uint8)
        return kind, half
    count = 6 if numbers == 32 else 3
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for at in scales:
        halves = (rng.standard_normal(count) * 0.01).astype(np.float16)
        halves[-1] = np.float16(3e-7)  # a subnormal one
        blocks[:, at:at + 2] = halves.view(np.uint8).reshape(count, 2)
    return kind, blocks.reshape(1, -1)


def quants():
    from gguf import quants as q
    rng = np.random.default_rng(7)
    made = {}
    for name, scales in TYPES.items():
        kind, blocks = blocks_of(name, scales, rng)
        numbers = q.dequantize(blocks, kind).astype(np.float32)
        assert np.isfinite(numbers).all()
        made[name] = {"blocks": blocks.tobytes().hex(), "numbers": numbers.astype("<f4").tobytes().hex()}
    (HERE / "quants.json").write_text(json.dumps(made, indent=0) + "\n")


def kept(row):
    top = int(row.argmax())
    return {"argmax": top, "greatest": round(float(row[top]), 6), "some": [round(float(x), 6) for x in row[::STEP]]}


def logits(name, path):
    import torch
    import transformers
    path = Path(path)
    torch.set_num_threads(1)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager").eval()
    vocab = model.config.vocab_size
    ids = [(i * 7919 + 1234) % (vocab // 4) + 300 for i in range(24)]
    made = {"made_by": f"transformers {transformers.__version__}, torch {torch.__version__}, eager fp32", "ids": ids,
            "step": STEP}
    with torch.no_grad():
        whole = model(torch.tensor([ids]), use_cache=False).logits[0]
        made["prefill"] = {str(at): kept(whole[at]) for at in (0, 3, 11, 23)}
        out = model(torch.tensor([ids[:4]]), use_cache=True)
        made["decode"] = {}
        for at in range(4, len(ids)):
            out = model(torch.tensor([[ids[at]]]), past_key_values=out.past_key_values, use_cache=True)
            if at in (4, 11, 23):
                made["decode"][str(at)] = kept(out.logits[0, -1])
        said = model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=48, eos_token_id=None)
        made["greedy"] = said[0, len(ids):].tolist()
    (HERE / f"{name}.json").write_text(json.dumps(made, separators=(",", ":")) + "\n")
    print(name, model.config)


if __name__ == "__main__":
    quants() if sys.argv[1] == "quants" else logits(*sys.argv[2:])
