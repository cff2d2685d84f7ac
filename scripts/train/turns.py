"""Chat turns about passages, as token ids with a class for each: what a model is trained to read, and what to say.

The prompts are those of `kvmesh eval`: a context and a question in one prompt, or each in a prompt of its own.
"""
import random

from tasks import TASKS, passage

QA = "Directly answer the question based on the context passage, no explanation is needed."
INSTRUCTIONS = [QA, QA, "Answer the question from the context.", "Use the context to answer briefly."]
SUMMARY = ["Say briefly what the context states.", "Say in a sentence what the context states."]
OTHER_READS = " Another agent will read what you write."
SUMMARY_FACTS = 16
SKIP, TEXT, ANSWER = 0, 1, 2        # classes of a token: not a target, plain text, what the model must say
WEIGHTS = {"lookup": 1.5, "hops": 1.5, "landmark": 1, "tips": .8, "compare": 1.5, "split": 1}


def summary(facts):
    return "; ".join(brief for _, brief, _ in facts[:SUMMARY_FACTS]) + "."


class Turns:
    """One sample under construction."""

    def __init__(self, tok):
        self.tok, self.ids, self.classes = tok, [], []
        self.start, self.end = tok.vocab["<|im_start|>"], tok.vocab["<|im_end|>"]
        self.user, self.assistant, self.newline = tok.encode("user\n"), tok.encode("assistant\n"), tok.encode("\n")

    def add(self, ids, kind):
        self.ids += ids
        self.classes += [kind] * len(ids)

    def prompt(self, text):
        """A user turn and the opening of the assistant's. Its first token is no target: an answer may come there, too."""
        self.add([self.start], SKIP)
        self.add(self.user + self.tok.encode(text) + [self.end] + self.newline + [self.start] + self.assistant, TEXT)

    def say(self, text):
        self.add(self.tok.encode(text) + [self.end], ANSWER)


def questions(r, p, most):
    """The task's own questions first in number, simpler ones among them."""
    pool = p.own + r.sample(p.extra, min(len(p.extra), len(p.own))) if r.random() < .7 else list(p.own)
    r.shuffle(pool)
    return pool[:r.randint(1, most)]


def parts(r, p):
    """The context for two readers: by what each of them knows, or cut anywhere."""
    if p.task == "split" or r.random() < .5:
        both = p.part(0), p.part(1)
    else:
        cut = r.randint(0, len(p.facts))
        both = tuple(" ".join(f[0] for f in facts) for facts in (p.facts[:cut], p.facts[cut:]))
    return [text for text in both if text]


def lead(r, instruction):
    return f"Instruction: {instruction} " if r.random() < .85 else ""


def answer_turns(t, r, p):
    """Context and question in one prompt, in two, or the context in two of its own; then further questions."""
    instruction = r.choice(INSTRUCTIONS)
    (question, answer), *more = questions(r, p, 10)
    form = r.random()
    if form < .35:
        t.prompt(f"{lead(r, instruction)}Context: {p.context()} Question: {question}")
    else:
        for text in parts(r, p) if form > .75 else [p.context()]:
            t.prompt(f"{lead(r, instruction)}Context: {text}")
        t.prompt(f"{lead(r, instruction)}Question: {question}")
    t.say(answer)
    for question, answer in more:
        t.add(t.newline, SKIP)
        t.prompt(f"{lead(r, instruction) if r.random() < .3 else ''}Question: {question}")
        t.say(answer)


def summary_turns(t, r, p):
    """A context alone: says what it states; now and then a question follows."""
    instruction = r.choice(INSTRUCTIONS if r.random() < .6 else SUMMARY) + (OTHER_READS if r.random() < .25 else "")
    facts = [f for f in p.facts if f[2] == 0] if p.task == "split" and r.random() < .7 else p.facts
    t.prompt(f"Instruction: {instruction} Context: {' '.join(f[0] for f in facts)}")
    t.say(summary(facts))
    if facts is p.facts and r.random() < .3:
        question, answer = r.choice(p.own)
        t.add(t.newline, SKIP)
        t.prompt(f"{lead(r, r.choice(INSTRUCTIONS))}Question: {question}")
        t.say(answer)


def guess(r, p, question, most):
    """An answer of the right kind by one who has not read the context."""
    if p.task in ("tips", "compare"):
        named = [a for _, a in p.own if a in question] or [a for _, a in p.own]
        return r.choice(named)
    return r.choice(passage(r, p.task, most).own)[1]


def revise_turns(t, r, p, most):
    """Question, a first answer, another agent's text: the answer if the text gives it, else the first one."""
    question, answer = r.choice(p.own)
    draft = answer if r.random() < .15 else guess(r, p, question, most)
    facts = p.facts[:SUMMARY_FACTS]
    if p.task == "lookup" and len(p.facts) > SUMMARY_FACTS:
        asked = p.facts[p.own.index((question, answer))]
        answer = answer if asked in facts else draft
    heard = f"{summary([f for f in facts if f[2] == 0])} {summary([f for f in facts if f[2] == 1])}" if p.task == "split" else summary(facts)
    t.prompt(f"{lead(r, r.choice(INSTRUCTIONS))}Question: {question} Your answer: {draft} Another agent wrote: {heard} Revise your answer.")
    t.say(answer)


def guess_turns(t, r, p, most):
    question, _ = r.choice(p.own)
    t.prompt(f"{lead(r, r.choice(INSTRUCTIONS))}Question: {question}")
    t.say(guess(r, p, question, most))


def sample(tok, r, mix, most):
    """Ids and classes of one sample. `mix`: shares of the forms; `most`: bound on the facts of a context."""
    t = Turns(tok)
    task = r.choices(list(WEIGHTS), WEIGHTS.values())[0]
    p = passage(r, task, most)
    form = r.choices(list(mix), mix.values())[0]
    if form == "answer":
        answer_turns(t, r, p)
    elif form == "summary":
        summary_turns(t, r, p)
    elif form == "revise":
        revise_turns(t, r, p, most)
    else:
        guess_turns(t, r, p, most)
    return t.ids, t.classes


def texts(r):
    """Plain text to learn the tokenizer from."""
    p = passage(r, r.choice(list(TASKS)), 12)
    question, answer = r.choice(p.own + p.extra)
    instruction = r.choice(INSTRUCTIONS + SUMMARY) + OTHER_READS
    return [f"Instruction: {instruction} Context: {p.context()} Question: {question}", f"Question: {question}", answer,
            f"Your answer: {answer} Another agent wrote: {summary(p.facts)} Revise your answer.", summary(p.facts),
            "user\nassistant\nsystem\nYou are a helpful assistant."]
