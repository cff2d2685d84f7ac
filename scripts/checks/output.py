"""Results leave through the stream that a command is given, which checks every write (cli/output.hpp)."""

import re

from .tree import ROOT, sources

UNCHECKED = re.compile(r"std::cout|\bprintf\(|\bputs\(")
# Programs of their own, for developers.
EXEMPT = ("bench/llm/main.cpp", "bench/wire/", "bench/device/")


def run() -> list[str]:
    complaints = []
    for path in sources():
        if not path.startswith(("cli/", "bench/")) or path.startswith(EXEMPT):
            continue
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
            if UNCHECKED.search(line):
                complaints.append(f"{path}:{number}: writes to standard output past cli/output.hpp, which checks it")
    return complaints
