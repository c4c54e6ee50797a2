"""The registry of models, `models.yml`: where their files are, and how to get and check them."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from paraisite.network import downloading
from paraisite.network.downloading import DownloadError, Remote, download

DEFAULT = "kappa"
ENCODER = "megnet-mp-2018.6.1-eform"


class ModelError(ValueError):
    """A model cannot be found or fetched; the message says what was looked for and what to do."""


class ModelFile(BaseModel):
    """One file of a model that does not ship."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    url: str
    bytes: int
    sha256: str

    @property
    def remote(self) -> Remote:
        """The file at its public address."""
        return Remote(self.url, self.sha256, bytes=self.bytes)


class Replaced(BaseModel):
    """A model that shipped earlier: the last commit that holds it, and the digest of its weights, kappa.safetensors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    commit: str
    sha256: str


class ModelEntry(BaseModel):
    """One model of the registry.

    `replaces` has the earlier models whose names give this one now. `loader` is ``MODULE:FUNCTION``: of a potential, a
    function of its folder, its name and the device that returns an ASE calculator; of the weights of an encoder, one of
    the folder that returns a `Model`. `aliases` are shorter names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    kind: Literal["checkpoint", "matgl", "potential"]
    shipped: bool
    licence: str
    citation: str
    mirror: str = ""
    properties: tuple[str, ...] = ()
    loader: str = ""
    aliases: tuple[str, ...] = ()
    files: tuple[ModelFile, ...] = ()
    replaces: dict[str, Replaced] = {}

    def load(self, *arguments: Any) -> Any:
        """Call the loader.

        Raises
        ------
        ImportError
            If a package that it needs is not installed.
        """
        module, _, function = self.loader.partition(":")
        return getattr(import_module(module), function)(*arguments)


@cache
def registry() -> dict[str, ModelEntry]:
    """Every model by name."""
    text = (files("paraisite.model") / "models.yml").read_text(encoding="utf-8")
    return {name: ModelEntry.model_validate(entry) for name, entry in yaml.safe_load(text).items()}


def current(name: str) -> str:
    """Name of the registered model that a name stands for, the successor of a replaced one; other names stay."""
    key = name.lower()
    return next((known for known, entry in registry().items() if key == known or key in entry.replaces), name)


def replacement(name: str) -> str:
    """What became of a model that shipped earlier, in one line for its user; empty for every other name."""
    successor = current(name)
    if successor.lower() == name.lower():
        return ""
    old = registry()[successor].replaces[name.lower()]
    return (
        f"{name} has been replaced by {successor}, which is used here; the old model: git checkout {old.commit} "
        f"(kappa.safetensors, sha256 {old.sha256[:12]}…)"
    )


def locate(name: str, mirror: str | Path | None = None) -> Path:
    """Find the folder of a model by registry name or by path, without touching the network.

    Parameters
    ----------
    name : str
        That of a replaced model gives the folder of its successor; `replacement` has a note on it.
    mirror : str or Path, optional
        Folder that stands in for the network; by default PARAISITE_MIRROR.

    Raises
    ------
    ModelError
        If there is no such model here, or one of its files is not the registered one.
    """
    key = current(name)
    entry = registry().get(key)
    if entry is None:
        for folder in (Path(name), Path(name) / "model"):  # a training's folder holds its model
            if name and (folder / "card.json").is_file():
                return folder
        if name and Path(name).is_dir():
            return Path(name)
        known = ", ".join(key for key, entry in registry().items() if entry.kind != "potential")
        raise ModelError(f"{name}: neither a model ({known}) nor a folder")
    if entry.shipped:
        folder = Path(str(files("paraisite.model") / "pretrained" / key))
        if not folder.is_dir():
            raise ModelError(f"{name}: {folder} is missing from this installation; install paraisite again")
        return folder
    root = mirror if mirror is not None else os.environ.get("PARAISITE_MIRROR")
    places = [cache_folder() / key, *([Path(root).expanduser() / entry.mirror] if root else [])]
    for folder in places:
        if all((folder / f.name).is_file() for f in entry.files):
            for f in entry.files:
                if not f.remote.is_at(folder / f.name):
                    raise ModelError(
                        f"{folder / f.name}: not the registered file (sha256 {downloading.sha256(folder / f.name)}, "
                        f"expected {f.sha256}); remove it and fetch it again"
                    )
            return folder
    looked = " or ".join(str(p) for p in places)
    raise ModelError(
        f"{name} is not on this machine (looked in {looked}): run `paraisite models fetch {name}`, "
        "or set PARAISITE_MIRROR to a folder that holds it"
    )


def fetch(
    name: str, mirror: str | Path | None = None, progress: Callable[[str, int, int], object] | None = None
) -> Path:
    """Download a model into the user's cache, verify it, and return its folder; nothing is done for one in a mirror.

    Parameters
    ----------
    name : str
    mirror : str or Path, optional
        By default PARAISITE_MIRROR.
    progress : callable, optional
        Told the name, how many bytes are here, and how many there will be.

    Raises
    ------
    ModelError
        If there is no such model, the network fails, or a file is not the registered one.
    """
    key = current(name)
    entry = registry().get(key)
    if entry is None:
        raise ModelError(f"{name}: unknown model; choose from {', '.join(registry())}")
    root = mirror if mirror is not None else os.environ.get("PARAISITE_MIRROR")
    if entry.shipped or (root and all((Path(root) / entry.mirror / f.name).is_file() for f in entry.files)):
        return locate(name, mirror)
    folder = cache_folder() / key
    done, total = 0, sum(f.bytes for f in entry.files)

    def advance(n: int) -> None:
        nonlocal done
        done += n
        if progress is not None:
            progress(key, done, total)

    for f in entry.files:
        try:
            download(f.remote, folder / f.name, advance)
        except (DownloadError, OSError) as error:
            raise ModelError(f"{error} (or put {f.name} into {folder} by hand)") from None
    return folder


def cache_folder() -> Path:
    """Folder of fetched models."""
    return downloading.cache_folder() / "models"
