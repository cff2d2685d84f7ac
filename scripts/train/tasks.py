"""Six kinds of question in plain English. Every task makes a Passage: facts, what they state in brief, and questions."""
import dataclasses
import random

from words import (ADJECTIVES, BAD, CITIES, CONTAINERS, FIRMS, FIRM_KINDS, FLAT, GOOD, KEPT, LANDMARK_COUNTRY, MEASURES, NAMES, OBJECTS,
                   PLACES, RELATIONS, ROLES, SCORES, TEST_CITIES, TEST_FIRMS, TEST_NAMES, THINGS, held_out, made_up)


@dataclasses.dataclass
class Passage:
    task: str
    facts: list                 # (sentence, the same in brief, reader 0 or 1) in the order of the context
    own: list                   # (question, answer): what the task asks
    extra: list                 # (question, answer): simpler ones about the same facts, for training alone

    def part(self, reader):
        return " ".join(sentence for sentence, _, which in self.facts if which == reader)

    def context(self):
        return " ".join(sentence for sentence, _, _ in self.facts)


class World:
    """Draws words: those of training, or those kept for the tests.

    In some worlds of training all are alike: people whose names begin alike, few firms in many trades, few adjectives.
    """

    def __init__(self, r, test=False):
        self.r, self.test = r, test
        self.names, self.cities, self.firms = ((TEST_NAMES, TEST_CITIES, TEST_FIRMS) if test else (NAMES, CITIES, FIRMS))
        self.adjectives, self.heads = ADJECTIVES, None
        if not test and r.random() < .35:
            self.adjectives, self.firms = r.sample(ADJECTIVES, 4), self.different(3, self.firm_name)
            self.heads = [r.choice(NAMES)[:r.randint(1, 3)] for _ in range(r.randint(1, 4))]

    def different(self, count, draw):
        seen = {}
        while len(seen) < count:
            seen[draw()] = True
        return list(seen)

    def name(self, known, made_up_share):
        return made_up(self.r, known) if not self.test and self.r.random() < made_up_share else self.r.choice(known)

    def person(self):
        while self.heads:
            tail = self.r.choice(NAMES)
            name = self.r.choice(self.heads) + tail[self.r.randint(1, max(1, len(tail) - 2)):]
            if name not in KEPT:
                return name
        return self.name(self.names, .5)

    def city(self):
        return self.name(self.cities, .4)

    def firm_name(self):
        return self.name(self.firms, .4)

    def firm(self):
        return f"{self.r.choice(self.firms) if self.heads else self.firm_name()} {self.r.choice(FIRM_KINDS)}"

    def pair(self, first, second):
        while True:
            a, b = self.r.choice(first), self.r.choice(second)
            if held_out(a, b) == self.test:
                return a, b

    def thing(self, things=THINGS):
        return "{} {}".format(*self.pair(self.adjectives, things))

    def post(self):
        return "{} of the {}".format(*self.pair(ROLES, PLACES))

    def people(self, count):
        return self.different(count, self.person)

    def digits(self, count):
        return "".join(self.r.choice("0123456789") for _ in range(count))

    def shuffled(self, items):
        items = list(items)
        self.r.shuffle(items)
        return items


def single_facts(w, count):
    """(sentence, brief, question, answer) of `count` unrelated facts."""
    r, kinds, seen, facts = w.r, ("code", "staff", "place", "extension"), set(), []
    while len(facts) < count:
        kind = r.choice(kinds)
        key = {"code": w.thing, "staff": w.post, "place": lambda: r.choice(OBJECTS), "extension": w.person}[kind]()
        if (kind, key) in seen:
            continue
        seen.add((kind, key))
        if kind == "code":
            v = w.digits(4)
            facts.append((r.choice((f"The code of the {key} is {v}.", f"The {key} opens with {v}.")), f"{key} {v}",
                          r.choice((f"What is the code of the {key}?", f"Which code opens the {key}?")), v))
        elif kind == "staff":
            v = w.person()
            facts.append((r.choice((f"The {key} is {v}.", f"{v} is the {key}.")), f"{key} {v}", f"Who is the {key}?", v))
        elif kind == "place":
            v = w.thing(CONTAINERS)
            facts.append((f"The {key} is in the {v}.", f"{key} in the {v}", f"Where is the {key}?", f"in the {v}"))
        else:
            v = w.digits(3)
            facts.append((r.choice((f"The extension of {key} is {v}.", f"{key} has extension {v}.")), f"{key} extension {v}",
                          f"What is the extension of {key}?", v))
    return facts


def lookup(w, most, least=1):
    count = round(least * (most / least) ** w.r.random()) if w.r.random() < .5 else w.r.randint(least, most)
    facts = single_facts(w, count)
    return Passage("lookup", [(s, b, 0) for s, b, _, _ in facts], [(q, a) for _, _, q, a in facts], [])


def hops(w, most, least=1):
    """Who does what with whom, then who lives where: pair by pair, or first the ones and then the others."""
    r, n = w.r, w.r.randint(least, max(least, min(6, most)))
    people, cities = w.people(2 * n), w.different(n, w.city)
    facts, own, extra = [], [], []
    for first, second, city in zip(people[:n], people[n:], cities):
        verb, role = r.choice(RELATIONS)
        facts += [(f"{first} {verb} {second}.", f"{first} {verb} {second}", 0),
                  (f"{second} lives in {city}.", f"{second} lives in {city}", 1)]
        own.append((f"Who is the {role} of {first}, and in which city does that person live?", f"{second} in {city}"))
        extra += [(f"In which city does {second} live?", city), (f"Who is the {role} of {first}?", second)]
    if r.random() < .6:
        facts = sorted(w.shuffled(facts), key=lambda f: f[2])
    return Passage("hops", facts, own, extra)


def landmark(w, most, least=1):
    r, n = w.r, w.r.randint(least, max(least, min(8, most)))
    facts, own, extra = [], [], []
    for person, (place, country) in zip(w.people(n), r.sample(LANDMARK_COUNTRY, n)):
        verb = r.choice(("is at", "is visiting", "is waiting near"))
        facts.append((f"{person} {verb} {place}.", f"{person} at {place}", r.randrange(2)))
        own.append((r.choice((f"Which country is {person} located in?", f"In which country is {person}?")), country))
        extra.append((f"Who {verb} {place}?", person))
    return Passage("landmark", facts, own, extra)


def tips(w, most, least=2):
    r, n = w.r, w.r.randint(least, max(least, min(5, most)))
    firms, facts, said = w.different(n, w.firm), [], {}
    moods = w.shuffled(["good"] + r.choices(("bad", "flat"), k=n - 1))
    for firm, mood in zip(firms, moods):
        a, b = r.sample({"good": GOOD, "bad": BAD, "flat": FLAT}[mood], 2)
        form = r.randrange(3)
        facts.append(((f"{firm} {a} and {b}.", f"{firm} {a}.", f"{firm} {a}. It also {b}.")[form],
                      f"{firm} has {dict(good='good', bad='bad', flat='no')[mood]} news", r.randrange(2)))
        for news in ((a,) if form == 1 else (a, b)):
            said.setdefault(news, []).append(firm)
    best, own = firms[moods.index("good")], []
    for _ in range(1 if w.test else 3):
        among = firms if not own else [f for f in firms if f == best or r.random() < .7]
        own.append((f"You must invest in exactly one company from {', '.join(w.shuffled(among))}. Which company do you choose?", best))
    return Passage("tips", facts, own, w.shuffled((f"Which company {news}?", v[0]) for news, v in said.items() if len(v) == 1)[:3])


def compare(w, most, least=2):
    r, n = w.r, w.r.randint(least, max(least, min(6, most)))
    of_people = r.random() < .4
    fact, more, top, bottom, alone = r.choice(SCORES if of_people else MEASURES)
    keys = w.people(n) if of_people else [f"the {t}" for t in w.different(n, w.thing)]
    value = {k: 100 * hundreds + r.randrange(100) for k, hundreds in zip(keys, r.sample(range(1, 10), n))}
    ask = "Who" if of_people else "Which"
    facts = [fact.format(k, v) for k, v in value.items()]
    own = [(f"{ask} {top}?", max(value, key=value.get)), (f"{ask} {bottom}?", min(value, key=value.get))]
    for _ in range(min(3 if w.test else 6, n - 1)):
        a, b = r.sample(keys, 2)
        own.append((f"{ask} {more}, {a} or {b}?", max(a, b, key=value.get)))
    return Passage("compare", [(f[0].upper() + f[1:] + ".", f, r.randrange(2)) for f in facts], w.shuffled(own),
                   [(alone.format(k), str(v)) for k, v in value.items()])


def split(w, most, least=1):
    """Each reader holds one half of every answer."""
    r, n = w.r, w.r.randint(least, max(least, min(8, most)))
    kind, facts, own, extra = r.choice(("code", "meeting", "guard")), [], [], []
    for key in w.different(n, w.thing) if kind == "code" else r.sample(PLACES, n):
        if kind == "code":
            a, b = w.digits(2), w.digits(2)
            halves = f"The first half of the code of the {key} is {a}", f"The second half of the code of the {key} is {b}"
            brief = f"{key} first half {a}", f"{key} second half {b}"
            own.append((f"What is the whole code of the {key}?", a + b))
            extra += [(f"What is the first half of the code of the {key}?", a), (f"What is the second half of the code of the {key}?", b)]
        elif kind == "meeting":
            a, b = w.city(), f"{r.randint(10, 21)}:{r.choice(('00', '15', '30', '45'))}"
            halves = brief = f"The {key} team meets in {a}", f"The {key} team meets at {b}"
            own.append((f"Where and when does the {key} team meet?", f"in {a} at {b}"))
            extra += [(f"Where does the {key} team meet?", f"in {a}"), (f"When does the {key} team meet?", f"at {b}")]
        else:
            a, b = w.people(2)
            halves = brief = f"The day guard of the {key} is {a}", f"The night guard of the {key} is {b}"
            own.append((f"Who are the day guard and the night guard of the {key}?", f"{a} and {b}"))
            extra += [(f"Who is the day guard of the {key}?", a), (f"Who is the night guard of the {key}?", b)]
        facts += [(halves[i] + ".", brief[i], i) for i in (0, 1)]
    facts = sorted(w.shuffled(facts), key=lambda f: f[2])
    return Passage("split", facts, own, extra)


TASKS = {"lookup": lookup, "hops": hops, "landmark": landmark, "tips": tips, "compare": compare, "split": split}


def passage(r, task, most, least=None, test=False):
    """`most` bounds the facts; `least` where a context must not be short."""
    return TASKS[task](World(r, test), most, **({} if least is None else {"least": least}))
