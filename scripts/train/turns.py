"""Chat turns about passages, as token ids with a class for each: what a model is trained to read, and what to say.

The prompts are those of `kvmesh eval`: a context and a question in one prompt, or each in a prompt of its own.
"""
import random

from tasks import TASKS, passage
from words import NAMES, made_up

QA = "Directly answer the question based on the context passage, no explanation is needed."
INSTRUCTIONS = [QA, QA, "Answer the question from the context.", "Use the context to answer briefly."]
SUMMARY = ["Say briefly what the context states.", "Say in a sentence what the context states."]
AWARE = "Another agent has to answer a question about the context and cannot see it. Write down what it needs to know. "
SUMMARY_FACTS = 16
SKIP, TEXT, ANSWER = 0, 1, 2        # classes of a token: not a target, plain text, what the model must say
WEIGHTS = {"lookup": 1.2, "hops": 2.8, "landmark": .5, "tips": 1.2, "compare": 2.4, "split": 1.3}


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
        """With a space before it, so that a word has the tokens that it has within a sentence."""
        self.add(self.tok.encode(" " + text) + [self.end], ANSWER)


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
    if form < .25:
        t.prompt(f"{lead(r, instruction)}Context: {p.context()} Question: {question}")
    else:
        for text in parts(r, p) if form > .75 else [p.context()]:
            t.prompt(f"{lead(r, instruction)}Context: {text}")
        t.prompt(f"{lead(r, instruction)}Question: {question}")
    t.say(answer)
    follow_up(t, r, instruction, more)


def follow_up(t, r, instruction, asked):
    for question, answer in asked:
        t.add(t.newline, SKIP)
        t.prompt(f"{lead(r, instruction) if r.random() < .3 else ''}Question: {question}")
        t.say(answer)


def summary_turns(t, r, p):
    """A context alone: says what it states; now and then a question follows."""
    opening = AWARE if r.random() < .2 else f"Instruction: {r.choice(INSTRUCTIONS if r.random() < .6 else SUMMARY)} "
    facts = [f for f in p.facts if f[2] == 0] if p.task == "split" and r.random() < .7 else p.facts
    t.prompt(f"{opening}Context: {' '.join(f[0] for f in facts)}")
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


def junk(r, question, draft):
    """What a model may say that was never asked without a context: pieces of all it knows, again and again."""
    words = f"{question} Your previous answer: {draft} Another agent's answer: assistant\n {made_up(r, NAMES)}".split(" ")
    begin = r.randrange(len(words))
    text = " ".join(words[begin:begin + r.randint(1, 6)])[r.randrange(3):]
    return "\n".join([text] * r.choice((1, 1, 1, 2, 12)))


def revise_turns(t, r, p, most):
    """Question, a first answer, another agent's text: the answer if the text gives it, else the first one."""
    question, answer = r.choice(p.own)
    draft = answer if r.random() < .1 else guess(r, p, question, most)
    draft = junk(r, question, draft) if r.random() < .3 else draft
    facts = p.facts[:SUMMARY_FACTS]
    if p.task == "lookup" and len(p.facts) > SUMMARY_FACTS:
        asked = p.facts[p.own.index((question, answer))]
        answer = answer if asked in facts else draft
    texts = [summary([f for f in facts if f[2] == i]) for i in (0, 1)] if p.task == "split" else [summary(facts)]
    space = r.choice(("", " "))         # what an agent says begins with a space, which may have been cut off
    heard = " ".join(space + text for text in texts)
    t.prompt(f"{lead(r, r.choice(INSTRUCTIONS))}Question: {question} Your previous answer: {space}{draft} "
             f"Another agent's answer: {heard} Revise your answer.")
    t.say(answer)
    if len(facts) == len(p.facts):
        follow_up(t, r, QA, questions(r, p, 6)[1:])


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
    else:
        revise_turns(t, r, p, most)
    return t.ids, t.classes


def texts(r):
    """Plain text to learn the tokenizer from."""
    p = passage(r, r.choice(list(TASKS)), 12)
    question, answer = r.choice(p.own + p.extra)
    return [f"Instruction: {r.choice(INSTRUCTIONS + SUMMARY)} Context: {p.context()} Question: {question}", AWARE,
            f"Question: {question} Your previous answer: {answer} Another agent's answer: {summary(p.facts)} Revise your answer.",
            f" {answer}", f" {summary(p.facts)}", "user\nassistant\nsystem\nYou are a helpful assistant."]
