"""Options: the names of the version before, settings from a file, and every option that a message names."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import paraisite
from paraisite.cli.main import app
from paraisite.cli.verb import DEPRECATED
from paraisite.files.settings import SettingsError, read_settings
from paraisite.phonons.settings import Settings
from paraisite.screening.settings import ScreenSettings

OF_OTHER_PROGRAMS = {"--address", "--file_format", "--xla_cpu_multi_thread_eigen", "--no-deps"}


def commands(command: Any) -> Iterator[Any]:
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from commands(inner)


def test_messages_name_options_that_exist() -> None:
    found = commands(typer.main.get_command(app))
    known = {name for one in found for p in one.params for name in (*p.opts, *p.secondary_opts)} | {"--help"}
    wrong = [
        f"{path}:{node.lineno}: {word}"
        for path in Path(paraisite.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for word in re.findall(r"(?<![\w-])--[a-z][\w-]*", node.value)
        if word not in known | OF_OTHER_PROGRAMS | DEPRECATED.keys()
    ]
    assert not wrong


@pytest.mark.parametrize("verb", ["verify", "screen", "predict", "train", "report", "evaluate"])
def test_help_has_panels(verb: str, invoke: Any) -> None:
    out = invoke(verb, "--help").stdout
    assert out.index("Common options:") < out.index("--output") < out.index("Advanced options:")


def test_deprecated_spellings_still_work(invoke: Any, tmp_path: Path) -> None:
    err = invoke("train", "no-such-recipe", "--out", tmp_path, code=2).stderr
    assert "--out is deprecated, use --output" in err
    assert "no-such-recipe" in err


@pytest.mark.parametrize(
    ("verb", "old", "new"),
    [
        ("verify", "--max-fc2-atoms", "--fc2-max-atoms"),
        ("verify", "--supercell-length", "--length"),
        ("tune", "--timeout", "--hours"),
    ],
)
def test_the_value_of_a_deprecated_option_is_taken(verb: str, old: str, new: str, invoke: Any) -> None:
    err = invoke(verb, "absent", f"{old}=x", code=2).stderr
    assert f"Invalid value for '{old if verb == 'tune' else new}'" in err


@pytest.mark.parametrize(
    ("kind", "text", "named"),
    [(Settings, "mex: 11", "mesh"), (ScreenSettings, "part-sise: 8", "part_size"), (Settings, "seed: x", "seed")],
)
def test_mistakes_in_a_settings_file(kind: Any, text: str, named: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.yml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=f"settings.yml: .*{named}"):
        read_settings(path, kind)


def test_options_win_over_the_file(invoke: Any, tiny_dataset: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    from pyarrow import parquet

    path, out = tmp_path / "settings.yml", tmp_path / "out.parquet"
    path.write_text(f"model: {tiny_checkpoint}\nworkers: 0\ntop: 3\nlevel: 0.5\n")
    invoke("screen", tiny_dataset, "-o", out, "--settings", path, "--top", 2)
    assert parquet.ParquetFile(out).metadata.num_rows
    assert len((tmp_path / "out.shortlist.csv").read_text().splitlines()) == 3  # the header, and 2 rows


@pytest.mark.parametrize(
    "args",
    [
        ("predict", "a.cif"), ("screen", "a.cif", "-o", "a.parquet"), ("evaluate", "kappa", "l96"),
        ("verify", "a.cif"), ("train", "kappa"), ("tune", "kappa"), ("study", "run"), ("study", "crabnet"),
    ],
)  # fmt: skip
def test_cuda_without_a_device_is_wrong_usage(args: tuple[str, ...], invoke: Any) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    assert "--device cpu" in invoke(*args, "--device", "cuda", code=2).stderr


def test_device_auto_predicts_as_the_device_that_is_there(invoke: Any, crystals: list[Path]) -> None:
    import torch

    there = "cuda" if torch.cuda.is_available() else "cpu"
    tables = [invoke("predict", *crystals, "--device", device).stdout for device in ("auto", there)]
    assert tables[0].count("\n") == len(crystals) + 1
    assert tables[0] == tables[1]
