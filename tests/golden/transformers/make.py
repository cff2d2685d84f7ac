#!/usr/bin/env python3
"""Makes this folder's checkpoints and their golden.json with Hugging Face transformers:

  python3 make.py OUT        # transformers 5.17, torch 2.11; eager attention, fp32 on a CPU

Tiny models with random weights, written by transformers itself (config.json in its newest spelling, weights in bf16,
which fp32 holds exactly). `share` is one forward pass over both prompts whose mask at each layer says what the receiver
may see of the sender there: everything at a shared layer and at layer 0, the first token elsewhere, within the layer's
window.
"""

import json
import sys
from pathlib import Path

import torch
import transformers

COMMON = dict(vocab_size=160, hidden_size=32, intermediate_size=48, num_hidden_layers=4, num_attention_heads=4,
              num_key_value_heads=2, max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=0)
GEMMA = dict(COMMON, head_dim=16, query_pre_attn_scalar=24, sliding_window=7)
LLAMA3 = dict(rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=32)


def plain(theta=10000.0, **more):
    return dict(rope_parameters=dict(rope_type="default", rope_theta=theta, **more))


CASES = {
    "llama-llama3": ("Llama", dict(COMMON, head_dim=12, tie_word_embeddings=True, rope_parameters=LLAMA3)),
    "llama-linear": ("Llama", dict(COMMON, rope_parameters=dict(rope_type="linear", factor=2.0, rope_theta=5e4))),
    "llama-dynamic": ("Llama", dict(COMMON, max_position_embeddings=16, rope_parameters=dict(
        rope_type="dynamic", factor=2.0, rope_theta=10000.0))),
    "mistral-window": ("Mistral", dict(COMMON, sliding_window=7, **plain())),
    "qwen2-late-windows": ("Qwen2", dict(COMMON, use_sliding_window=True, sliding_window=5, max_window_layers=2,
                                         tie_word_embeddings=True, **plain(1e6))),
    "qwen3": ("Qwen3", dict(COMMON, head_dim=20, **plain(1e6))),
    "gemma2": ("Gemma2", dict(GEMMA, attn_logit_softcapping=5.0, final_logit_softcapping=3.0, **plain())),
    "gemma3": ("Gemma3Text", dict(GEMMA, num_hidden_layers=7, rope_parameters=dict(
        sliding_attention=dict(rope_type="default", rope_theta=100.0),
        full_attention=dict(rope_type="linear", factor=4.0, rope_theta=5000.0)))),
}


def build(family, settings):
    config = getattr(transformers, family + "Config")(**settings)
    name = {"Gemma3Text": "Gemma3ForCausalLM"}.get(family, family + "ForCausalLM")
    model = getattr(transformers, name)._from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            spread = 0.25 if parameter.dim() > 1 else 0.1
            noise = spread * torch.randn(parameter.shape, generator=generator)
            is_norm = parameter.dim() == 1 and bool((parameter == 1).all())
            parameter.copy_(((1 if is_norm else 0) + noise).bfloat16().float())
    return model


def decoder_layers(model):
    return model.model.layers


def windows(model):
    """Of each layer, how many positions a token sees, its own included; None: all."""
    config = model.config
    kinds = getattr(config, "layer_types", None)
    if kinds is None:
        return [config.sliding_window if config.model_type == "mistral" else None] * config.num_hidden_layers
    return [config.sliding_window if kind == "sliding_attention" else None for kind in kinds]


def shared_logits(model, sender, receiver, layers):
    total, context = len(sender) + len(receiver), len(sender)
    q, k = torch.arange(total)[:, None], torch.arange(total)[None, :]
    hooks = []
    for number, (layer, window) in enumerate(zip(decoder_layers(model), windows(model))):
        sees = k <= q
        if window is not None:
            sees = sees & (q - k < window)
        if number not in layers and number != 0:
            sees = sees & ~((q >= context) & (k < context) & (k > 0))
        mask = torch.zeros(1, 1, total, total).masked_fill(~sees, torch.finfo(torch.float32).min)

        def replace(module, args, kwargs, mask=mask):
            assert "attention_mask" in kwargs, "this transformers hands the mask on in another way"
            return args, {**kwargs, "attention_mask": mask}

        hooks.append(layer.register_forward_pre_hook(replace, with_kwargs=True))
    logits = model(torch.tensor([sender + receiver]), use_cache=False).logits[0, context:]
    for hook in hooks:
        hook.remove()
    return logits


def rounded(tensor):
    return [round(x, 6) for x in tensor.tolist()]


def golden(model):
    ids = [(i * 37 + 11) % 157 + 3 for i in range(40)]
    logits = model(torch.tensor([ids]), use_cache=False).logits[0]
    made = {"made_by": f"transformers {transformers.__version__}, torch {torch.__version__}, eager fp32", "ids": ids,
            "logits_at": {str(at): rounded(logits[at]) for at in (0, 1, 9, 20, 39)},
            "argmax": logits.argmax(-1).tolist(), "logsumexp": rounded(logits.logsumexp(-1))}
    if "dynamic" in json.dumps(model.config.to_dict()):
        return made  # its keys fit one length only
    said = model.generate(torch.tensor([ids[:20]]), do_sample=False, max_new_tokens=16, eos_token_id=None)
    made["greedy_from_first_20"] = said[0, 20:].tolist()
    sender, receiver = ids[:26], ids[26:]
    depth = model.config.num_hidden_layers
    made["share"] = []
    for layers in (list(range(depth)), [], [depth - 1], [1, 2]):
        out = shared_logits(model, sender, receiver, layers)
        made["share"].append({"layers": layers, "sender_ids": sender, "receiver_ids": receiver,
                              "last_logits": rounded(out[-1]), "argmax": out.argmax(-1).tolist()})
    return made


def main():
    out = Path(sys.argv[1])
    for name, (family, settings) in CASES.items():
        model = build(family, settings)
        with torch.no_grad():
            made = golden(model)
        model.to(torch.bfloat16).save_pretrained(out / name)
        (out / name / "generation_config.json").unlink(missing_ok=True)
        (out / name / "golden.json").write_text(json.dumps(made, separators=(",", ":")) + "\n")
        print(name, {k: v if isinstance(v, str) else len(v) for k, v in made.items()}, flush=True)


if __name__ == "__main__":
    main()
