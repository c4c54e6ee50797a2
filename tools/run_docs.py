"""Run the commands of the pages and the notebooks of docs/, and compare what they print with what stands there.

    .venv/bin/python tools/run_docs.py [NAME ...]           exits with 1 where an output differs
    .venv/bin/python tools/run_docs.py [NAME ...] --write   writes the outputs of this run instead

In a page, a block ```console holds commands after `$ `, each followed by its output. The commands of a page run in
order in one empty folder, in which `examples` are those of the repository; what follows `$ cat > FILE <<'END'` is input
of `cat`. Numbers may differ by 3 %, seconds and spaces in any way.
Needs a system with pseudo-terminals, and nothing but the repository: no data folder, no network.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import select
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.M | re.S)
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
COMMAND = re.compile(
    r"^\$ (?P<command>[^\n]*<<'END'\n(?:[^\n]*\n)*?END|(?:[^\n]*\\\n)*[^\n]*)\n(?P<output>(?:(?!\$ )[^\n]*\n)*)", re.M
)
SECONDS = re.compile(r"\b\d+(?:\.\d+)? s\b")
STYLE = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")
TOLERANCE = 0.03
WIDTH = 100
"""Columns of the terminal: what the site shows without scrolling."""


def pages() -> list[Path]:
    """Return the pages that hold runnable commands, and the notebooks."""
    written = [
        page for page in sorted(DOCS.glob("*.md")) if "<!-- run by tools/run_docs.py -->" in page.read_text("utf-8")
    ]
    return [*written, *sorted(DOCS.glob("notebooks/*.ipynb"))]


def same(expected: str, found: str) -> bool:
    """Whether two outputs agree, but for spaces, seconds, and numbers within the tolerance."""
    lines = [[line for line in text.splitlines() if line.strip()] for text in (expected, found)]
    return len(lines[0]) == len(lines[1]) and all(map(_same_line, *lines))


def _same_line(expected: str, found: str) -> bool:
    expected, found = (SECONDS.sub("# s", line) for line in (expected, found))
    texts = [" ".join(NUMBER.sub("#", line).split()) for line in (expected, found)]
    numbers = zip(NUMBER.findall(expected), NUMBER.findall(found), strict=False)
    return texts[0] == texts[1] and all(math.isclose(float(a), float(b), rel_tol=TOLERANCE) for a, b in numbers)


def in_terminal(command: str, folder: Path) -> str:
    """Run a command and return what a terminal shows, without colours and progress bars."""
    import fcntl
    import pty
    import termios

    shown, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 50, WIDTH, 0, 0))
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PARAISITE")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {"PATH": path, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": str(WIDTH), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder,
        env=plain | settings,
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=subprocess.PIPE,  # where progress bars show only in terminals
    ) as running:
        assert running.stderr is not None
        os.close(terminal)
        text, waiting = b"", [shown, running.stderr.fileno()]
        while waiting:
            for stream in sorted(select.select(waiting, [], [])[0], key=waiting.index):
                piece = _read(stream)
                text += piece
                if not piece:
                    waiting.remove(stream)
    os.close(shown)
    return STYLE.sub("", text.decode()).replace("\r\n", "\n")


def _read(stream: int) -> bytes:
    try:
        return os.read(stream, 1 << 20)
    except OSError:  # how Linux says that a terminal has no more
        return b""


def run(page: Path) -> str:
    """Return a page or notebook with the outputs of this run where they differ from what stands there."""
    return run_notebook(page) if page.suffix == ".ipynb" else run_page(page)


def run_page(page: Path) -> str:
    """Return a page with the outputs of this run where they differ from what stands there."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "examples").symlink_to(ROOT / "src/paraisite/examples")

        def fresh(match: re.Match[str]) -> str:
            shown = [line.rstrip() for line in in_terminal(match["command"], folder).splitlines()]
            output = "".join(f"{line}\n" for line in shown if line)
            if same(match["output"], output):
                return match[0]
            return f"$ {match['command']}\n{output}"

        return BLOCK.sub(lambda block: COMMAND.sub(fresh, block[0]), page.read_text("utf-8"))


def run_notebook(path: Path) -> str:
    """Return a notebook with the outputs of this run where they differ from what stands there."""
    import nbformat
    from nbclient import NotebookClient

    before = nbformat.read(path, as_version=4)
    after = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "examples").symlink_to(ROOT / "src/paraisite/examples")
        NotebookClient(after, timeout=600, startup_timeout=300, resources={"metadata": {"path": name}}).execute()
    if all(same(*texts) for texts in zip(_texts(before), _texts(after), strict=True)):
        return path.read_text("utf-8")
    after.metadata.pop("language_info", None)
    for cell in after.cells:
        cell.metadata.clear()
        if cell.cell_type == "code":
            cell.execution_count = None
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            for output in cell.outputs:
                output.pop("execution_count", None)
                output.update({"execution_count": None} if output.output_type == "execute_result" else {})
    return nbformat.writes(after) + "\n"


def _texts(notebook) -> Iterator[str]:
    """Text that each cell of code printed or returned."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            yield "\n".join(
                output["text"] if output.output_type == "stream" else output.get("data", {}).get("text/plain", "")
                for output in cell.outputs
                if output.get("name") != "stderr"
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="pages or notebooks, such as `tour` (default: all)")
    parser.add_argument("--write", action="store_true", help="write the outputs of this run")
    arguments = parser.parse_args()
    differing = 0
    for page in pages():
        if arguments.names and page.stem not in arguments.names:
            continue
        renewed = run(page)
        differs = renewed != page.read_text("utf-8")
        differing += differs
        if differs and arguments.write:
            page.write_text(renewed, "utf-8")
        print(
            f"{page.relative_to(ROOT)}: {('written' if arguments.write else 'differs') if differs else 'as it stands'}"
        )
    return int(differing > 0 and not arguments.write)


if __name__ == "__main__":
    sys.exit(main())
