"""Messages and pages are free of the phrases that the rules of wording replace (CONTRIBUTING.md, Style)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import paraisite

SOURCE = Path(paraisite.__file__).parent
ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("docs/*.md"), ROOT / "CONTRIBUTING.md"])

BANNED = re.compile(
    r"\b(?:go|goes|going|gone|went) on with\b|\banew\b|(?<!there )\b(?:is|are|was|were) no (?!longer\b)\w+|\bspeaks?\b|"
    r"\bnobody\b|never saw|left alone|page for people|leads? nowhere|\bdata sets?\b|hardly scatter|meets no resistance|"
    r"begun otherwise|one after the other, the last|first the best",
    re.IGNORECASE,
)


def messages(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every string but docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def test_messages_are_plain() -> None:
    wrong = [
        f"{path}:{line}: {found[0]}"
        for path in SOURCE.rglob("*.py")
        for line, text in messages(path)
        if (found := BANNED.search(text))
    ]
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_are_plain(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    assert not [f"{number}: {found[0]}" for number, line in enumerate(lines, 1) if (found := BANNED.search(line))]
