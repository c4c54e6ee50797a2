"""Every command on the pages, and every notebook, prints what stands there (tools/run_docs.py)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SPEC = importlib.util.spec_from_file_location("run_docs", ROOT / "tools/run_docs.py")
assert SPEC is not None
assert SPEC.loader is not None
run_docs = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(run_docs)

PAGES = run_docs.pages()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals and a shell")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_prints_what_it_says(page: Path) -> None:
    if page.suffix == ".ipynb":
        pytest.importorskip("nbclient", reason="needs the extra [docs]")
    assert run_docs.run(page) == page.read_text("utf-8")


def test_outputs_are_compared_by_their_numbers() -> None:
    table = " NaCl   5.8 [2.2 – 15]\n1 predicted\n"
    assert run_docs.same(table, " NaCl  5.81 [2.21 – 15]\n1 predicted\n")
    assert not run_docs.same(table, table.replace("5.8", "6.1"))
    assert not run_docs.same(table, table.replace("1 predicted", "1 rejected"))
    assert not run_docs.same(table, table + "warning: something new\n")
    assert not run_docs.same("", "error: no such option\n")
    assert run_docs.same("finished in 4 s\n", "finished in 11.5 s\n")


def test_pages_hold_commands_and_notebooks_hold_outputs() -> None:
    assert {page.stem for page in PAGES} >= {"tour", "have-cifs", "have-measurements", "first_prediction", "own_values"}
    for page in PAGES:
        if page.suffix == ".md":
            commands = [
                m for b in run_docs.BLOCK.finditer(page.read_text("utf-8")) for m in run_docs.COMMAND.finditer(b[0])
            ]
            assert sum(bool(command["output"]) for command in commands) >= 2, page
