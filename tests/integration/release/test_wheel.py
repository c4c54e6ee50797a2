"""The source distribution builds the wheel, and the wheel works where there is no repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import paraisite
from paraisite.cli.demo import EXAMPLE_FOLDER

REPOSITORY = Path(__file__).resolve().parents[3]
BUILT_FROM = ("src", "pyproject.toml", "README.md", "LICENSE", "NOTICE")
BUILD = "from setuptools import build_meta; build_meta.build_sdist({folder!r})"  # what `python -m build` calls

pytestmark = pytest.mark.slow


def run(*command: object, cwd: Path) -> str:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PARAISITE"))}
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=plain, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("sdist")
    leftovers = shutil.ignore_patterns("*.egg-info", "__pycache__")
    for name in BUILT_FROM:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=leftovers)
        else:
            shutil.copy(source, tree)
    run(sys.executable, "-c", BUILD.format(folder=str(out)), cwd=tree)
    (made,) = out.iterdir()
    assert made.name == f"paraisite-{paraisite.__version__}.tar.gz"
    return made


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w", out)
    run(*pip, sdist, cwd=out)
    (made,) = out.iterdir()
    return made


@pytest.fixture(scope="module")
def paraisite_of_wheel(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run a program of an environment that holds the wheel, with the libraries of this one but not its ParAIsite."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder / "venv", with_pip=False, symlinks=os.name != "nt")
    bin = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    python = bin / "python"
    install = (sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-index", "--no-deps", wheel)
    run(*install, cwd=folder)
    # a folder named by a .pth file is searched, but .pth files in it, as that of a development install, are not read
    (packages,) = [
        path for path in (folder / "venv").rglob("site-packages") if (path / f"{wheel.name.split('-')[0]}").is_dir()
    ]
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return lambda program, *words: run(bin / program, *words, cwd=folder)


def test_every_file_of_the_package_is_in_both(sdist: Path, wheel: Path) -> None:
    source = REPOSITORY / "src"
    files = {
        path.relative_to(source).as_posix()
        for path in (source / "paraisite").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == files
        licences = {name.rpartition("/")[2] for name in archive.namelist() if ".dist-info/licenses/" in name}
        assert licences == {"LICENSE", "NOTICE"}
    root = sdist.name.removesuffix(".tar.gz")
    with tarfile.open(sdist) as archive_:
        names = {name.removeprefix(f"{root}/") for name in archive_.getnames()}
    assert {f"src/{name}" for name in files} | set(BUILT_FROM) <= names


def test_the_wheel_predicts_its_examples(paraisite_of_wheel: Callable[..., str]) -> None:
    where = paraisite_of_wheel("python", "-c", "import paraisite; print(paraisite.__file__)")
    assert not Path(where.strip()).is_relative_to(REPOSITORY)
    assert paraisite_of_wheel("paraisite", "--version").splitlines()[0] == f"paraisite {paraisite.__version__}"
    out = paraisite_of_wheel("paraisite", "demo")
    for crystal in (EXAMPLE_FOLDER / "crystals").glob("*.cif"):
        assert f"\n {crystal.stem} " in out


def test_metadata(paraisite_of_wheel: Callable[..., str]) -> None:
    program = (
        "from importlib.metadata import distribution as d; p = d('paraisite')\n"
        "print(p.version, p.metadata['License-Expression'], p.metadata['Requires-Python'])\n"
        "print(*(f'{e.group} {e.name} {e.value}' for e in p.entry_points), sep='\\n')"
    )
    first, *entry_points = paraisite_of_wheel("python", "-c", program).splitlines()
    assert first == f"{paraisite.__version__} MIT >=3.11"
    assert entry_points == ["console_scripts paraisite paraisite.cli.main:main"]
