"""What the checks know of the source tree: its rooms, their files and the include lines in them."""

import os
import re
from pathlib import Path
from typing import Iterator, NamedTuple

ROOT = Path(__file__).resolve().parents[2]

# The longest prefix of a path that is a room is its room.
ROOMS = ("base", "bus", "kvcodec/wire", "kvcodec", "llm", "agents", "orchestrator", "bench", "cli")

# Folders that are a room's own: not installed, not included from another room.
PRIVATE_FOLDERS = ("detail", "families", "jinja", "kernels", "tokenizer")

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
    return path.endswith(".hpp") and room_of(path) not in (None, "bench", "cli") and not is_private(path)


def files(*suffixes: str) -> list[str]:
    """Files of ours with such an ending, from the root, sorted; build folders and hidden ones left out."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "build"]
        found += [str(Path(folder, name).relative_to(ROOT)) for name in names if name.endswith(suffixes)]
    return sorted(found)


def sources() -> list[str]:
    return files(".hpp", ".cpp")


def room_sources() -> list[str]:
    return [path for path in sources() if room_of(path)]


def includes_of(path: str) -> Iterator[Include]:
    for number, text in enumerate((ROOT / path).read_text().splitlines(), 1):
        match = INCLUDE.match(text)
        if match:
            yield Include(path, number, match[1] == '"', match[2])


def jobs() -> int:
    return len(os.sched_getaffinity(0))
