"""The registry of named data sets, `datasets.yml`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Upstream(BaseModel):
    """A public file (or folder of files) that a data set is made from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern=r"^https://")
    bytes: int | None = None
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    files: int | None = None
    git_tree: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    use: str = ""


class DatasetCard(BaseModel):
    """What is known of a named data set.

    Attributes
    ----------
    name, title : str
        Name for `load`, and one line for people.
    aliases : tuple of str
        Other names; the study's own.
    parts : tuple of str
        Names of the data sets this one is made of, in order; empty where it has a folder of its own.
    rows : int
        Rows of its table.
    licence : str
        Terms of values and structures.
    citation : tuple of str
        What to cite.
    units : dict
        Unit of each column of its table.
    notes : tuple of str
        What a user should know before trusting it.
    upstream : tuple of Upstream
        The public files it is made from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    aliases: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    rows: int = Field(gt=0)
    licence: str
    citation: tuple[str, ...] = Field(min_length=1)
    units: dict[str, str]
    notes: tuple[str, ...] = ()
    upstream: tuple[Upstream, ...] = ()


@cache
def registry() -> dict[str, DatasetCard]:
    """Return the cards of all named data sets, by name."""
    import yaml

    content = yaml.safe_load(Path(__file__).with_name("datasets.yml").read_text(encoding="utf-8"))
    return {name: DatasetCard(name=name, **fields) for name, fields in content.items()}


def find(name: str) -> DatasetCard | None:
    """Return the card of the data set with this name or alias (upper and lower case alike), or None."""
    wanted = name.casefold()
    for card in registry().values():
        if wanted in {card.name.casefold(), *(alias.casefold() for alias in card.aliases)}:
            return card
    return None
