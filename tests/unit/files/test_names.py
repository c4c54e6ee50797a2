"""Names of files: safe everywhere, each once."""

from __future__ import annotations

from pathlib import Path

import pytest

from paraisite.files.names import each_once, file_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mp-149", "mp-149"),
        ("../../etc/x y", "_.._etc_x_y"),
        (".hidden", "hidden"),
        ("..", "crystal"),
        ("κ=1+2", "κ_1_2"),
        ("\udcff\0", "__"),
        ("x" * 300, "x" * 100),
        ("結" * 300, "結" * 66),
    ],
)
def test_names_stay_in_their_folder(tmp_path: Path, text: str, name: str) -> None:
    assert file_name(text) == name
    (tmp_path / name).touch()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_is_kept() -> None:
    assert file_name("a=1+[2]", kept="+=") == "a=1+_2_"


def test_each_once_on_every_file_system() -> None:
    assert each_once(["Co", "CO", "co-2", "Co", "", ""]) == ["Co", "CO-2", "co-2-2", "Co-3", "", "-2"]
