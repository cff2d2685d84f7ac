"""What the pair will do in the mesh, computed at once with masks: baseline, skyline, kv at several ratios, random layers.

A second formulation of `kvmesh eval`, for a look between slices: one pass over [contexts, question, answer], in which the
keys and values of context positions are the sender's, and question positions see them at the chosen layers only (the very
first token at all). An answer is right if every one of its tokens, the stop token included, is the likeliest.

usage: evaluate.py SENDER RECEIVER DATA_FOLDER [items of each task]
"""
import glob
import json
import os
import random
import sys

import torch
import torch.nn.functional as F

from bpe import Tokenizer
from export import load_folder
from model import after_attention, before_attention, rms_norm, rope_tables
from turns import Turns

BATCH_TOKENS = 16384
MOST_EDGES = 2


def contexts_of(item):
    return item.get("contexts", [item.get("context")])


class Sequence:
    """Ids with a segment for each: 0, 1, … contexts, -1 what the receiver reads or says."""

    def __init__(self, tok, item, method):
        t, self.answer_ids = Turns(tok), tok.encode(" " + item["answer"]) + [tok.vocab["<|im_end|>"]]
        contexts, lead = contexts_of(item), f"Instruction: {item['instruction']} "
        self.segments = []

        def prompt(text, segment):
            t.prompt(lead + text)
            self.segments += [segment] * (len(t.ids) - len(self.segments))

        if method == "skyline":
            prompt(f"Context: {' '.join(contexts)} Question: {item['question']}", -1)
        else:
            for i, context in enumerate(contexts if method != "baseline" else []):
                prompt(f"Context: {context}", i)
            prompt(f"Question: {item['question']}", -1)
        self.prompt_length = len(t.ids)
        self.ids = t.ids + self.answer_ids
        self.segments += [-1] * len(self.answer_ids)


def attend(q, k, v, mask):
    """(rows, heads, columns, head_dim); mask (rows, 1, columns, columns). The result and the attention."""
    k, v = (y.repeat_interleave(q.shape[1] // k.shape[1], 1) for y in (k, v))
    a = (q @ k.transpose(-1, -2) * q.shape[-1] ** -.5).masked_fill(~mask, -1e30).softmax(-1)
    return a @ v, a


class Pair:
    def __init__(self, sender, receiver):
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.sender, self.receiver = (load_folder(f).to(self.device) for f in (sender, receiver))
        self.layers = self.receiver.c["layers"]

    def layer_inputs(self, model, b, x, cos, sin, shape):
        q, k, v = before_attention(x, b.input_norm, b.q, b.k, b.v, cos, sin, model.c["head_dim"])
        return (y.view(*shape, -1, model.c["head_dim"]).transpose(1, 2) for y in (q, k, v))

    @torch.no_grad()
    def logits(self, sequences, selected):
        """`selected` (rows, edges, layers), an edge for each context. Logits of the receiver (rows, columns, vocabulary), and
        layer scores (rows, edges, layers)."""
        columns = max(len(s.ids) for s in sequences)
        pad = lambda values, fill: torch.tensor([v + [fill] * (columns - len(v)) for v in values], device=self.device)
        ids, segments = pad([s.ids for s in sequences], 0), pad([s.segments for s in sequences], -1)
        shape = ids.shape
        causal = torch.ones(columns, columns, dtype=torch.bool, device=self.device).tril()
        own = causal & (segments[:, :, None] == segments[:, None, :])
        reader, context = (segments == -1)[:, :, None], (segments != -1)
        first = (torch.arange(columns, device=self.device) == 0)[None, None, :] & context[:, None, :]
        cos, sin = (y.repeat(shape[0], 1) for y in rope_tables(columns, self.receiver.c["head_dim"], self.receiver.c["rope_theta"], ids.device))
        asking = torch.zeros_like(context)
        for i, s in enumerate(sequences):
            asking[i, sum(g != -1 for g in s.segments):s.prompt_length] = True
        seen = torch.stack([segments == edge for edge in range(selected.shape[1])], 1)
        seen[:, :, 0] = False
        xs, xr = (F.embedding(ids, m.embedding).flatten(0, 1) for m in (self.sender, self.receiver))
        scores = []
        for layer, (bs, br) in enumerate(zip(self.sender.blocks, self.receiver.blocks)):
            q, ks, vs = self.layer_inputs(self.sender, bs, xs, cos, sin, shape)
            a, _ = attend(q, ks, vs, own[:, None])
            xs = after_attention(xs, a.transpose(1, 2).reshape(xs.shape[0], -1), bs.post_norm, bs.o, bs.gate, bs.up, bs.down)
            q, k, v = self.layer_inputs(self.receiver, br, xr, cos, sin, shape)
            k, v = (torch.where(context[:, None, :, None], theirs, ours) for theirs, ours in ((ks, k), (vs, v)))
            shared = selected[:, :, layer].gather(1, segments.clamp(min=0))[:, None, :] | first
            a, weights = attend(q, k, v, (own | (reader & causal & context[:, None, :] & shared))[:, None])
            mass = (weights.mean(1)[:, None] * seen[:, :, None, :]).sum(-1)
            scores.append((mass * asking[:, None]).sum(2) / asking.sum(1, keepdim=True))
            xr = after_attention(xr, a.transpose(1, 2).reshape(xr.shape[0], -1), br.post_norm, br.o, br.gate, br.up, br.down)
        return F.linear(rms_norm(xr, self.receiver.norm), self.receiver.embedding).view(*shape, -1), torch.stack(scores, 2)

    def run(self, sequences, selected):
        """For each row whether the answer is right, and the layer scores."""
        logits, scores = self.logits(sequences, selected)
        best = logits.argmax(-1).tolist()
        begins = [s.prompt_length - 1 for s in sequences]
        return [best[i][n:n + len(s.answer_ids)] == s.answer_ids for i, (s, n) in enumerate(zip(sequences, begins))], scores

    def all(self, sequences, choose):
        """Results in the order of `sequences`, computed longest first. `choose(i)`: layers shared for sequence i,
        edge by edge."""
        order, right, scores = sorted(range(len(sequences)), key=lambda i: -len(sequences[i].ids)), {}, {}
        while order:
            rows = max(1, BATCH_TOKENS // len(sequences[order[0]].ids))
            group, order = order[:rows], order[rows:]
            selected = torch.zeros(len(group), MOST_EDGES, self.layers, dtype=torch.bool, device=self.device)
            for row, i in enumerate(group):
                for edge, layers in enumerate(choose(i)):
                    selected[row, edge, [0] + list(layers)] = True
            ok, s = self.run([sequences[i] for i in group], selected)
            for row, i in enumerate(group):
                right[i], scores[i] = ok[row], s[row]
        return [right[i] for i in range(len(sequences))], torch.stack([scores[i] for i in range(len(sequences))])


def items_of(path, limit):
    with open(path, encoding="utf8") as f:
        return [json.loads(line) for line in f][:limit]


def rankings(pair, tok, items):
    """By the number of contexts, for each edge its layers, best first: mean scores over the items with so many."""
    ranking = {}
    for count in sorted({len(contexts_of(i)) for i in items}):
        sequences = [Sequence(tok, i, "kv") for i in items if len(contexts_of(i)) == count]
        scores = pair.all(sequences, lambda i: [range(pair.layers)] * count)[1].mean(0)[:count].tolist()
        ranking[count] = [sorted(range(pair.layers), key=lambda l: -s[l]) for s in scores]
        for edge, (s, best) in enumerate(zip(scores, ranking[count])):
            print(f"edge {edge + 1} of {count}: scores", " ".join(f"{x:.2f}" for x in s), "best first", best)
    return ranking


def main(sender, receiver, folder, limit=10 ** 6):
    pair, tok = Pair(sender, receiver), Tokenizer.load(f"{receiver}/tokenizer.json")
    everything = range(pair.layers)
    ranking = rankings(pair, tok, items_of(f"{folder}/calibration.jsonl", 10 ** 6))
    files = [f for f in sorted(glob.glob(f"{folder}/*.jsonl")) if os.path.basename(f) != "calibration.jsonl"]
    data = {os.path.basename(f)[:-6]: items_of(f, int(limit)) for f in files}
    print(f"{'method':12}", *(f"{task:>9}" for task in data))
    r = random.Random(0)
    for method in ("baseline", "skyline", "kv:all", "kv:0.7", "kv:0.5", "kv:0.3", "kv:0.1", "random:0.3", "random:0.5"):
        kind, _, ratio = method.partition(":")
        count = pair.layers if ratio in ("", "all") else int(float(ratio) * pair.layers)
        row = []
        for items in data.values():
            edges = [len(contexts_of(i)) for i in items]
            if kind == "random":
                choose = lambda i: [r.sample(everything, count)] * edges[i]
            else:
                choose = lambda i: [best[:count] for best in ranking[edges[i]]]
            right, _ = pair.all([Sequence(tok, i, kind) for i in items], choose)
            row.append(100 * sum(right) / len(right))
        print(f"{method:12}", *(f"{x:9.1f}" for x in row), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
