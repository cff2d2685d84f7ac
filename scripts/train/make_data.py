"""Writes the test items of each task and a calibration file apart from them, in the form that `kvmesh eval` reads.

usage: make_data.py settings.json FOLDER
"""
import json
import os
import random
import sys

from bpe import Tokenizer
from tasks import TASKS, passage
from turns import QA

MOST = {"lookup": 88, "hops": 6, "landmark": 6, "tips": 5, "compare": 6, "split": 8}
LEAST = {"lookup": 8, "hops": 3, "landmark": 3, "tips": 3, "compare": 3, "split": 3}
MOST_TOKENS = 1000


def item(r, tok, task, name):
    while True:
        p = passage(r, task, MOST[task], LEAST[task], test=True)
        if len(tok.encode(p.context())) <= MOST_TOKENS:
            break
    question, answer = r.choice(p.own)
    context = {"contexts": [p.part(0), p.part(1)]} if task == "split" else {"context": p.context()}
    return {"id": name, "task": task, "instruction": QA, **context, "question": question, "answer": answer}


def write(path, items):
    with open(path, "w", encoding="utf8") as f:
        f.writelines(json.dumps(i) + "\n" for i in items)


def main(settings_path, folder):
    with open(settings_path) as f:
        settings = json.load(f)
    tok, data = Tokenizer.load(settings["tokenizer"]), settings["data"]
    os.makedirs(folder, exist_ok=True)
    r, seen = random.Random(data["seed"]), set()

    def items(task, count, prefix):
        made = []
        while len(made) < count:
            new = item(r, tok, task, f"{prefix}{task}-{len(made) + 1}")
            text = str(new.get("context", new.get("contexts")))
            if text not in seen:
                seen.add(text)
                made.append(new)
        return made

    for task in TASKS:
        write(f"{folder}/{task}.jsonl", items(task, data["items"], ""))
    write(f"{folder}/calibration.jsonl", [i for task in TASKS for i in items(task, data["calibration_items"], "calibration-")])


if __name__ == "__main__":
    main(*sys.argv[1:])
