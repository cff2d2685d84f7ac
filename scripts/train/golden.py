"""Golden vectors of the pair for tests/agents, computed with masks as in evaluate.py.

usage: golden.py READER SOLVER DATA_FOLDER OUT.json
"""
import json
import sys

import torch

from bpe import Tokenizer
from evaluate import MOST_EDGES, Pair, Sequence, items_of

LAYERS = [10, 11, 12, 13]


def numbers(x):
    return [round(v, 5) for v in x.tolist()]


def main(reader, solver, folder, out):
    pair, tok, cases = Pair(reader, solver), Tokenizer.load(f"{solver}/tokenizer.json"), []
    for task in ("lookup", "split"):
        sequence = Sequence(tok, items_of(f"{folder}/{task}.jsonl", 1)[0], "kv")
        case = {"senders": [[i for i, s in zip(sequence.ids, sequence.segments) if s == n] for n in range(max(sequence.segments) + 1)],
                "receiver": [i for i, s in zip(sequence.ids, sequence.segments) if s == -1], "shared": []}
        for layers in ([0], [0] + LAYERS, list(range(pair.layers))):
            selected = torch.zeros(1, MOST_EDGES, pair.layers, dtype=torch.bool)
            selected[0, :, layers] = True
            logits = pair.logits([sequence], selected)[0][0, -len(case["receiver"]):]
            case["shared"].append({"layers": layers, "argmax": logits.argmax(-1).tolist(), "logsumexp": numbers(logits.logsumexp(-1)),
                                   "last_logits": numbers(logits[-1])})
        cases.append(case)
    with open(out, "w") as f:
        json.dump(cases, f)


if __name__ == "__main__":
    main(*sys.argv[1:])
