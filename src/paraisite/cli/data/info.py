"""`paraisite data info`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paraisite.cli.console import say
from paraisite.cli.errors import guarded, wrong_usage
from paraisite.cli.options import MirrorOption
from paraisite.files.printable import counted

if TYPE_CHECKING:
    from paraisite.datasets.registry import DatasetCard

EXAMPLES = """Examples:

\b
  paraisite data info l96
  paraisite data info nequix-mp-1-pft"""


@guarded
def info(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A name of `paraisite data list`, or the folder of a stored dataset.")
    ],
    mirror: MirrorOption = None,
) -> None:
    """Show the card of a dataset: rows, units, licence, citation and origin."""
    from paraisite.datasets.registry import find, registry
    from paraisite.model.registry import registry as models

    card = find(name)
    if card is None and name.lower() in models():
        from paraisite.cli.models import info as model_info

        model_info(name, mirror)
        return
    with wrong_usage():
        if card is None and Path(name).expanduser().exists():
            for line in _stored(name):
                say(line)
            return
        if card is None:
            raise ValueError(f"{name}: unknown dataset; choose from {', '.join(registry())}")
    for line in _lines(card, mirror):
        say(line)


def _stored(given: str) -> Iterator[str]:
    """What the card of a stored dataset says."""
    from paraisite.datasets.store import dataset_folder, is_dataset_folder, read_card

    folder = dataset_folder(given)
    if not is_dataset_folder(folder):
        raise ValueError(f"{given}: not a stored dataset (no card.json); see paraisite data check {given}")
    card = read_card(folder)
    yield f"{card.name}: {folder}"
    yield f"rows: {counted(card.rows, 'crystal')}" + (f", {len(card.rejections)} rejected" if card.rejections else "")
    yield f"targets: {', '.join(f'{name} ({unit})' for name, unit in card.units.items()) or 'none'}"
    yield f"licence: {card.licence or 'not known'}"
    for text in card.citation:
        yield f"cite: {text}"
    for text in card.notes:
        yield f"note: {text}"
    for key, value in card.origin.items():
        yield f"{key}: {_readable(value)}"
    yield f"content hash: {card.content_hash}"
    yield f"more: paraisite data check {given}"


def _readable(value: Any) -> str:
    """Lists and mappings of a card as a person writes them."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_readable(content)}" for key, content in value.items())
    if isinstance(value, list):
        return "; ".join(map(_readable, value))
    return str(value)


def _lines(card: DatasetCard, mirror: Path | None) -> Iterator[str]:
    from paraisite.datasets.places import cached_folder, mirror_folder, place

    yield f"{card.name}: {card.title}"
    if card.aliases:
        yield f"also called: {', '.join(card.aliases)}"
    what = "formulas, without crystals" if card.holds == "formulas" else "crystals"
    yield f"rows: {card.rows} {what}" + (f" ({' followed by '.join(card.parts)})" if card.parts else "")
    if card.fidelity:
        yield f"fidelity: {card.fidelity}"
    yield f"columns: {', '.join(f'{name} ({unit})' for name, unit in card.units.items()) or 'none'}"
    yield f"licence: {card.licence}"
    for text in card.citation:
        yield f"cite: {text}"
    for text in card.notes:
        yield f"note: {text}"
    where = {"mirror": mirror_folder(mirror), "cache": cached_folder(card)}.get(place(card, mirror))
    yield f"here: {where or f'no; paraisite data fetch {card.name}'}"
    if card.mirror:
        yield f"in a mirror: {', '.join(card.mirror)}"
    yield f"content hash: {card.content_hash}"
    for upstream in card.upstream:
        yield f"file: {upstream.url}"
        if upstream.sha256:
            yield f"      {upstream.bytes} bytes, sha256 {upstream.sha256}"
        elif upstream.git_tree:
            yield f"      {upstream.files} files, git tree {upstream.git_tree}"
        if upstream.use:
            yield f"      {upstream.use}"
