"""The Llama architecture, written so that a step over any shape runs the same compiled pieces.

Activations are (tokens, width) with a fixed number of tokens a step: only attention sees rows and columns.
"""
import functools
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


@functools.lru_cache(maxsize=None)
def rope_tables(length, head_dim, theta, device):
    """cos and sin, each (length, head_dim), in the order that rotate() takes: halves, not neighbours."""
    angle = torch.arange(length).float()[:, None] * theta ** (-torch.arange(0, head_dim, 2).float() / head_dim)
    angle = torch.cat([angle, angle], -1)
    return angle.cos().to(device), angle.sin().to(device)


def rotate(x, cos, sin):
    half = x.shape[-1] // 2
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin


def rms_norm(x, weight):
    y = x.float()
    return (y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-6) * weight).to(x.dtype)


def before_attention(x, norm, wq, wk, wv, cos, sin, head_dim):
    """x (tokens, width) -> rotated q and k, and v: (tokens, heads, head_dim)."""
    h = rms_norm(x, norm)
    q, k, v = (F.linear(h, w.to(h.dtype)).view(x.shape[0], -1, head_dim) for w in (wq, wk, wv))
    cos, sin = cos[:, None].to(x.dtype), sin[:, None].to(x.dtype)
    return rotate(q, cos, sin), rotate(k, cos, sin), v


def after_attention(x, a, norm, wo, w_gate, w_up, w_down):
    x = x + F.linear(a, wo.to(a.dtype))
    h = rms_norm(x, norm)
    return x + F.linear(F.silu(F.linear(h, w_gate.to(h.dtype))) * F.linear(h, w_up.to(h.dtype)), w_down.to(h.dtype))


def losses(x, norm, embedding, target, kind):
    """Sums of cross-entropy over answers and over plain text, and the number of answer tokens guessed right."""
    logits = F.linear(rms_norm(x, norm), embedding.to(x.dtype)).float()
    each = F.cross_entropy(logits, target, reduction="none")
    said, text = (kind == 2).float(), (kind == 1).float()
    return (each * said).sum(), (each * text).sum(), ((logits.argmax(-1) == target) * said).sum()


def causal_attention(q, k, v):
    """q (rows, heads, columns, head_dim), fewer heads of k and v."""
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    columns = q.shape[2]
    mask = torch.full((columns, columns), -1e4, dtype=q.dtype, device=q.device).triu(1)
    k, v = (y.repeat_interleave(q.shape[1] // k.shape[1], 1) for y in (k, v))
    return (q @ k.transpose(-1, -2) * q.shape[-1] ** -.5 + mask).softmax(-1) @ v


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        width, inner, kv_width = c["width"], c["inner"], c["kv_heads"] * c["head_dim"]
        matrix = lambda out, into: nn.Parameter(torch.empty(out, into))
        self.input_norm, self.post_norm = nn.Parameter(torch.ones(width)), nn.Parameter(torch.ones(width))
        self.q, self.o = matrix(c["heads"] * c["head_dim"], width), matrix(width, c["heads"] * c["head_dim"])
        self.k, self.v = matrix(kv_width, width), matrix(kv_width, width)
        self.gate, self.up, self.down = matrix(inner, width), matrix(inner, width), matrix(width, inner)


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.embedding = nn.Parameter(torch.empty(c["vocab_size"], c["width"]))
        self.blocks = nn.ModuleList(Block(c) for _ in range(c["layers"]))
        self.norm = nn.Parameter(torch.ones(c["width"]))
        self.before, self.after, self.losses = before_attention, after_attention, losses
        for name, p in self.named_parameters():
            if p.dim() == 2:
                residual = name.endswith((".o", ".down"))
                std = .02 if name == "embedding" else p.shape[1] ** -.5 * (.5 / math.sqrt(2 * c["layers"]) if residual else 1)
                nn.init.normal_(p, std=std)

    def compile(self):
        """Three pieces, each compiled once for all layers and shapes."""
        self.before, self.after, self.losses = (torch.compile(f, dynamic=False) for f in (before_attention, after_attention, losses))

    def forward(self, ids, dtype):
        """ids (rows, columns) -> the state after the last layer, (rows * columns, width)."""
        rows, columns = ids.shape
        cos, sin = (y.repeat(rows, 1) for y in rope_tables(columns, self.c["head_dim"], self.c["rope_theta"], ids.device))
        x = F.embedding(ids.reshape(-1), self.embedding).to(dtype)
        for b in self.blocks:
            q, k, v = self.before(x, b.input_norm, b.q, b.k, b.v, cos, sin, self.c["head_dim"])
            q, k, v = (y.view(rows, columns, -1, self.c["head_dim"]).transpose(1, 2) for y in (q, k, v))
            a = causal_attention(q, k, v).transpose(1, 2).reshape(rows * columns, -1)
            x = self.after(x, a, b.post_norm, b.o, b.gate, b.up, b.down)
        return x
