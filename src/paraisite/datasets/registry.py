"""The registry of named datasets, `datasets.yml`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Upstream(BaseModel):
    """A public file that a dataset is made from, or a folder of them at a commit (`files`, `git_tree`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern=r"^https://")
    bytes: int | None = None
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    files: int | None = None
    git_tree: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    use: str = ""


class DatasetCard(BaseModel):
    """What is known of a named dataset.

    Attributes
    ----------
    name, title : str
        Name for `load`, and a one-line description.
    aliases : tuple of str
        Other names; the study's own.
    holds : {"crystals", "formulas"}
        What a row is; formulas without crystals are read by `load_formulas`.
    parts : tuple of str
        Names of the datasets this one is made of, in order; empty where it has files of its own.
    mirror : tuple of str
        Its files below a mirror folder, the table first.
    converter : str
        What makes it of the upstream files (`paraisite.datasets.upstream`); empty where it is made of parts.
    rows : int
        Rows of its table.
    content_hash : str
        `content_hash` of what is loaded.
    fidelity : {"", "DFT", "AGL"}
        How the values were made: first principles, or the quasi-harmonic Debye model; empty where there are none.
    licence : str
        Terms of values and structures.
    citation : tuple of str
        What to cite.
    units : dict
        Unit of each column of its table that holds a target.
    labels : tuple of str
        Columns of its table that are kept as labels; all others are left out.
    suspects : str
        File beside the registry that names the rows to doubt (`id`, `evidence`); they get the label `flags`.
    by_hand : str
        What to do without a mirror, where the set is not downloaded from its upstream files.
    notes : tuple of str
        What a user should know before trusting it.
    upstream : tuple of Upstream
        The public files it is made from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    aliases: tuple[str, ...] = ()
    holds: Literal["crystals", "formulas"] = "crystals"
    parts: tuple[str, ...] = ()
    mirror: tuple[str, ...] = ()
    converter: Literal["", "study", "aflow", "scan", "matcalc", "formulas", "phonix", "harmonic"] = ""
    rows: int = Field(gt=0)
    content_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    fidelity: Literal["", "DFT", "AGL"] = ""
    licence: str
    citation: tuple[str, ...] = Field(min_length=1)
    units: dict[str, str]
    labels: tuple[str, ...] = ()
    suspects: str = ""
    by_hand: str = ""
    notes: tuple[str, ...] = ()
    upstream: tuple[Upstream, ...] = ()


@cache
def registry() -> dict[str, DatasetCard]:
    """Return the cards of all named datasets, by name."""
    import yaml

    content = yaml.safe_load(Path(__file__).with_name("datasets.yml").read_text(encoding="utf-8"))
    return {name: DatasetCard(name=name, **fields) for name, fields in content.items()}


def find(name: str) -> DatasetCard | None:
    """Return the card of the dataset with this name or alias (upper and lower case alike), or None."""
    wanted = name.casefold()
    for card in registry().values():
        if wanted in {card.name.casefold(), *(alias.casefold() for alias in card.aliases)}:
            return card
    return None
