"""What the checks know of the source tree: its rooms, their files and the include lines in them."""

import os
import re
import subprocess
from pathlib import Path
from typing import Iterator, NamedTuple

ROOT = Path(__file__).resolve().parents[2]

# The longest prefix of a path that is a room is its room.
ROOMS = ("base", "bus", "kvcodec/wire", "kvcodec", "agents/llm", "agents", "orchestrator", "cli")

# Folders that are a room's own: not installed, not included from another room.
PRIVATE_FOLDERS = ("detail", "families", "jinja", "tokenizer")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


class Include(NamedTuple):
    path: str  # of the file it stands in, from the root
    line: int
    quoted: bool
    target: str

    def where(self) -> str:
        return f"{self.path}:{self.line}"


def room_of(path: str) -> str | None:
    return next((room for room in ROOMS if path.startswith(room + "/")), None)


def is_private(path: str) -> bool:
    return any(part in PRIVATE_FOLDERS for part in Path(path).parts[:-1])


def is_public_header(path: str) -> bool:
    return path.endswith(".hpp") and room_of(path) not in (None, "cli") and not is_private(path)


def sources(*folders: str) -> list[str]:
    """C++ files that Git tracks or would track, from the root, sorted."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *folders],
        cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = {path for path in listed.split("\0") if path.endswith((".hpp", ".cpp"))}
    return sorted(path for path in found if (ROOT / path).is_file())


def room_sources() -> list[str]:
    return [path for path in sources() if room_of(path)]


def includes_of(path: str) -> Iterator[Include]:
    for number, text in enumerate((ROOT / path).read_text().splitlines(), 1):
        match = INCLUDE.match(text)
        if match:
            yield Include(path, number, match[1] == '"', match[2])


def jobs() -> int:
    return len(os.sched_getaffinity(0))
