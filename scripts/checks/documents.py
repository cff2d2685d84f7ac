"""Documents stay true: links lead somewhere, also those in sources, quoted files are quoted whole, marked commands run.

In a Markdown file, an HTML comment right above a code block says what to check:
  <!-- run -->          the ```sh block runs in the root of the tree, `kvmesh` being the release build's
                        (KVMESH_PROGRAM names another)
  <!-- file: PATH -->   the block is that file, to the letter
"""

import os
import re
import subprocess
from pathlib import Path

from .tree import ROOT, files, sources

PROGRAM = Path(os.environ.get("KVMESH_PROGRAM", ROOT / "build" / "release" / "cli" / "kvmesh"))
BLOCK = re.compile(r"^<!-- (run|file: (?P<path>\S+)) -->\n```\w*\n(?P<body>.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)")
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.M | re.S)
DOCUMENT = re.compile(r"\bdocs/[\w/-]+\.md\b")
LIMIT_S = 300


def broken_links(path: str, text: str) -> list[str]:
    folder = (ROOT / path).parent
    return [f"{path}: the link {target} leads nowhere" for target in LINK.findall(CODE.sub("", text))
            if not (folder / target).exists()]


def missing_documents(path: str) -> list[str]:
    """Documents that a source refers its reader to and that are not there."""
    named = sorted(set(DOCUMENT.findall((ROOT / path).read_text())))
    return [f"{path}: names {document}, which is not there" for document in named if not (ROOT / document).exists()]


def run_block(where: str, body: str) -> list[str]:
    environment = os.environ | {"PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"}
    try:
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", body], cwd=ROOT, env=environment, timeout=LIMIT_S,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        return [f"{where}: the commands are still running after {LIMIT_S} s"]
    if done.returncode != 0:
        return [f"{where}: the commands end with {done.returncode}\n{body}{(done.stdout + done.stderr).rstrip()}"]
    return []


def check_block(path: str, text: str, block: re.Match) -> list[str]:
    where = f"{path}:{text.count(chr(10), 0, block.start()) + 1}"
    if block["path"] is None:
        return run_block(where, block["body"])
    quoted = ROOT / block["path"]
    if not quoted.is_file() or quoted.read_text() != block["body"]:
        return [f"{where}: the block is not what stands in {block['path']}"]
    return []


def missing_model(topology: Path) -> str | None:
    """A model that the topology names and that only scripts/get-model fetches."""
    named = re.findall(r"path: *([^\s,}]+\.gguf)", topology.read_text())
    return next((name for name in named if not (topology.parent / name).exists()), None)


def example_topologies() -> list[str]:
    complaints = []
    for topology in sorted(ROOT.glob("examples/*/*.yaml")):
        if model := missing_model(topology):
            print(f"  {topology.relative_to(ROOT)} is skipped: {model} is not there; scripts/get-model fetches it")
            continue
        done = subprocess.run([PROGRAM, "check", topology.relative_to(ROOT)], cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            complaints.append(f"{topology.relative_to(ROOT)}: `kvmesh check` ends with {done.returncode}\n"
                              f"{(done.stdout + done.stderr).rstrip()}")
    return complaints


def run() -> list[str]:
    if not PROGRAM.is_file():
        return [f"{PROGRAM} is not built: run scripts/build"]
    complaints = example_topologies()
    for path in sources():
        complaints += missing_documents(path)
    for path in files(".md"):
        text = (ROOT / path).read_text()
        complaints += broken_links(path, text)
        for block in BLOCK.finditer(text):
            complaints += check_block(path, text, block)
    return complaints
