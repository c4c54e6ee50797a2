"""The registry of models, `models.yml`: where their files are, and how to get and check them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

DEFAULT = "kappa-mix"
ENCODER = "megnet-mp-2018.6.1-eform"
MAX_BYTES = 200_000_000
"""No download may be larger."""


class ModelError(ValueError):
    """A model cannot be found or fetched; the message says what was looked for and what to do."""


class ModelFile(BaseModel):
    """One file of a model that does not ship."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    url: str
    bytes: int
    sha256: str


class ModelEntry(BaseModel):
    """One model of the registry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    kind: Literal["checkpoint", "matgl"]
    shipped: bool
    licence: str
    citation: str
    mirror: str = ""
    properties: tuple[str, ...] = ()
    files: tuple[ModelFile, ...] = ()


@cache
def registry() -> dict[str, ModelEntry]:
    """Every model by name."""
    text = (files("paraisite.model") / "models.yml").read_text(encoding="utf-8")
    return {name: ModelEntry.model_validate(entry) for name, entry in yaml.safe_load(text).items()}


def locate(name: str, mirror: str | Path | None = None) -> Path:
    """Find the folder of a model by registry name or by path, without touching the network.

    Parameters
    ----------
    name : str
    mirror : str or Path, optional
        Folder that stands in for the network; by default PARAISITE_MIRROR.

    Raises
    ------
    ModelError
        If there is no such model here, or one of its files is not the registered one.
    """
    entry = registry().get(name.lower())
    if entry is None:
        for folder in (Path(name), Path(name) / "model"):  # a training's folder holds its model
            if name and (folder / "card.json").is_file():
                return folder
        if name and Path(name).is_dir():
            return Path(name)
        raise ModelError(f"{name}: neither a model ({', '.join(registry())}) nor a folder")
    if entry.shipped:
        folder = Path(str(files("paraisite.model") / "pretrained" / name.lower()))
        if not folder.is_dir():
            raise ModelError(f"{name}: {folder} is missing from this installation; install paraisite again")
        return folder
    root = mirror if mirror is not None else os.environ.get("PARAISITE_MIRROR")
    places = [cache_folder() / name.lower(), *([Path(root).expanduser() / entry.mirror] if root else [])]
    for folder in places:
        if all((folder / f.name).is_file() for f in entry.files):
            for f in entry.files:
                _check((folder / f.name).read_bytes(), f, str(folder / f.name))
            return folder
    looked = " or ".join(str(p) for p in places)
    raise ModelError(
        f"{name} is not on this machine (looked in {looked}): run `paraisite models fetch {name}`, "
        "or set PARAISITE_MIRROR to a folder that holds it"
    )


def fetch(name: str) -> Path:
    """Download a model into the user's cache, verify it, and return its folder.

    Raises
    ------
    ModelError
        If there is no such model, the network fails, or a file is not the registered one.
    """
    import urllib.error
    import urllib.request

    entry = registry().get(name.lower())
    if entry is None:
        raise ModelError(f"{name}: no such model; there are {', '.join(registry())}")
    if entry.shipped:
        return locate(name)
    folder = cache_folder() / name.lower()
    folder.mkdir(parents=True, exist_ok=True)
    for f in entry.files:
        if (folder / f.name).is_file() and hashlib.sha256((folder / f.name).read_bytes()).hexdigest() == f.sha256:
            continue
        try:
            with urllib.request.urlopen(f.url, timeout=60) as response:
                content = response.read(min(f.bytes, MAX_BYTES) + 1)
        except (urllib.error.URLError, OSError) as error:
            raise ModelError(f"{f.url}: {error}; try again, or put {f.name} into {folder} by hand") from None
        _check(content, f, f.url)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as aside:
            aside.write(content)
        os.replace(aside.name, folder / f.name)
    return folder


def cache_folder() -> Path:
    """Folder of fetched models: PARAISITE_CACHE, else the user's cache folder (XDG base directory specification)."""
    if own := os.environ.get("PARAISITE_CACHE"):
        return Path(own).expanduser() / "models"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "paraisite" / "models"


def _check(content: bytes, file: ModelFile, where: str) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        raise ModelError(
            f"{where}: not the registered file (sha256 {digest[:12]}…, expected {file.sha256[:12]}…); "
            "remove it and fetch it again"
        )
