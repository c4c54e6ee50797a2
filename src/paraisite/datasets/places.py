"""Where the files of a named dataset are on this machine: in a mirror, or in the cache."""

from __future__ import annotations

import os
from pathlib import Path

from paraisite.datasets.registry import DatasetCard, registry
from paraisite.network.downloading import cache_folder

MIRROR = "PARAISITE_MIRROR"


def mirror_folder(mirror: str | Path | None = None) -> Path | None:
    """Return the folder that stands in for the network: as given, else PARAISITE_MIRROR, else None."""
    root = mirror if mirror is not None else os.environ.get(MIRROR) or None
    return None if root is None else Path(root).expanduser()


def in_mirror(card: DatasetCard, root: Path) -> bool:
    """Tell whether a mirror folder holds a dataset, or all its parts."""
    if card.parts:
        return all(in_mirror(registry()[part], root) for part in card.parts)
    return (root / card.mirror[0]).is_file()


def cached_folder(card: DatasetCard) -> Path:
    """Return the folder where `fetch` puts a dataset, whether it is there or not."""
    return cache_folder() / "datasets" / card.name


def place(card: DatasetCard, mirror: str | Path | None = None) -> str:
    """Return "mirror" or "cache", where `load` would find a dataset, or "" if neither."""
    root = mirror_folder(mirror)
    if root is not None and in_mirror(card, root):
        return "mirror"
    if card.parts:
        return "cache" if all(place(registry()[part], mirror) for part in card.parts) else ""
    return "cache" if (cached_folder(card) / _first_file(card)).is_file() else ""


def not_here(card: DatasetCard, mirror: str | Path | None = None) -> str:
    """Say where a dataset was looked for, and how to get it."""
    root = mirror_folder(mirror)
    looked = f"{cached_folder(card)}" if root is None else f"{root / card.mirror[0]} and {cached_folder(card)}"
    remedy = card.by_hand or (
        f"run `paraisite data fetch {card.name}`, or name a folder that holds {' and '.join(card.mirror)} "
        f"(--mirror, {MIRROR})"
    )
    return f"{card.name} is not on this machine (looked for {looked}); {remedy}"


def not_in_mirror(card: DatasetCard, root: Path) -> str:
    """Say that a mirror folder lacks a dataset, and what to do."""
    return f"{card.name}: {root / card.mirror[0]} does not exist; the mirror must hold {' and '.join(card.mirror)}" + (
        "" if card.by_hand else f"; without a mirror (--mirror, {MIRROR}) it is downloaded"
    )


def _first_file(card: DatasetCard) -> str:
    from paraisite.datasets.store import PARQUET

    return PARQUET if card.holds == "crystals" else Path(card.mirror[0]).name
