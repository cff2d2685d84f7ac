"""Batches of a fixed number of tokens, made ahead of time by other processes: chunk i is the same whoever makes it."""
import multiprocessing
import random

import numpy as np

from bpe import Tokenizer
from turns import ANSWER, SKIP, sample

STEPS_PER_CHUNK = 32
COLUMNS = (64, 96, 128, 192, 256, 320, 384, 512, 640, 768, 1024, 1280)     # row lengths; those that divide the tokens are used


def repeats(random_ids, columns, rows, vocab_size):
    """Random sequences, each again and again: nothing to learn there but to look back."""
    ids = np.empty((rows, columns), np.int16)
    kinds = np.full((rows, columns), ANSWER, np.uint8)
    for row in range(rows):
        k = random_ids.integers(4, columns // 2)
        ids[row] = np.resize(random_ids.integers(0, vocab_size, k), columns)
        kinds[row, :k + 1] = SKIP
    return ids, kinds


def filled(samples, columns, rows, pad):
    ids = np.full((rows, columns), pad, np.int16)
    kinds = np.zeros((rows, columns), np.uint8)
    for i, (x, c) in enumerate(samples):
        ids[i, :len(x)], kinds[i, :len(x)] = x, c
    return ids, kinds


class Chunk:
    """Makes the batches of about STEPS_PER_CHUNK steps."""

    def __init__(self, settings, stage):
        self.settings, self.stage = settings, stage
        self.tok = Tokenizer.load(settings["tokenizer"])
        self.columns = [c for c in COLUMNS if stage["tokens_per_step"] % c == 0]

    def most_facts(self, step):
        """Bound on the facts of a context: grows by a fixed factor in the same number of steps."""
        growth = self.stage["facts_grow_for"]
        limit = self.settings["most_facts"]
        return limit if not growth or step >= growth else max(1, round(limit ** (step / growth)))

    def __call__(self, index):
        tokens, seed = self.stage["tokens_per_step"], (self.settings["seed"], self.stage["seed"], index)
        numbers, r = np.random.default_rng(seed), random.Random(repr(seed))
        step, induction = index * STEPS_PER_CHUNK, self.stage["induction_steps"]
        if step < induction:
            return [repeats(numbers, 256, tokens // 256, len(self.tok.vocab)) for _ in range(STEPS_PER_CHUNK)]
        batches = self.pack(self.samples(r, tokens, self.most_facts(step - induction)))
        share = .2 if step < 2 * induction else self.stage["repeat_share"]
        batches = [repeats(numbers, 256, tokens // 256, len(self.tok.vocab)) if r.random() < share else b for b in batches]
        r.shuffle(batches)
        return batches

    def samples(self, r, tokens, most):
        """Enough to fill the chunk, longest first."""
        made, total = [], 0
        while total < tokens * STEPS_PER_CHUNK:
            made.append(sample(self.tok, r, self.stage["mix"], most))
            total += self.width_of(made[-1])
        return sorted(made, key=lambda s: -len(s[0]))

    def width_of(self, s):
        return next(c for c in self.columns if c >= len(s[0]) or c == self.columns[-1])

    def pack(self, made):
        batches = []
        while made:
            columns = self.width_of(made[0])
            rows = self.stage["tokens_per_step"] // columns
            group, made = made[:rows], made[rows:]
            batches.append(filled([(x[:columns], c[:columns]) for x, c in group], columns, rows, self.tok.vocab["<|pad|>"]))
        return batches


def _start(settings, stage):
    global _chunk
    _chunk = Chunk(settings, stage)


def _make(index):
    return _chunk(index)


class Stream:
    """Batches (ids, kinds) without end; the first ones are in the making once it is there."""

    def __init__(self, settings, stage):
        workers = settings["workers"]
        self.pool = multiprocessing.get_context("spawn").Pool(workers, _start, (settings, stage))
        self.count = 4 * workers
        self.pending = [self.pool.apply_async(_make, (i,)) for i in range(self.count)]

    def __iter__(self):
        while True:
            chunk = self.pending.pop(0).get()
            self.pending.append(self.pool.apply_async(_make, (self.count,)))
            self.count += 1
            yield from chunk

    def close(self):
        self.pool.terminate()
        self.pool.join()
