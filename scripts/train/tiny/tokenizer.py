"""The tokenizer of models/tiny: that of ../bpe.py, learnt from this recipe's own text in a second."""
import pathlib
import random
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))
from bpe import Tokenizer, learn
from data import item

INSTRUCTIONS = ["Directly answer the question based on the context passage, no explanation is needed.",
                "Answer the question from the context.", "Use the context to answer briefly."]


def build(vocab_size=1280, seed=7):
    r, texts = random.Random(seed), []
    for _ in range(6000):
        _, context, question, answer = item(r)
        texts += [f"Instruction: {r.choice(INSTRUCTIONS)} Context: {context}", f"Question: {question}", answer,
                  "user\nassistant\nsystem\nYou are a helpful assistant."]
    return Tokenizer(*learn(texts, vocab_size))
