"""`fetch`: a named dataset into the cache, from its public source or from a mirror, verified."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from paraisite.datasets.dataset import Dataset
from paraisite.datasets.formulas import read_formulas
from paraisite.datasets.load import load, read_mirror, with_labels
from paraisite.datasets.places import cached_folder, in_mirror, mirror_folder, not_in_mirror
from paraisite.datasets.registry import DatasetCard, Upstream, find, registry
from paraisite.datasets.store import is_dataset_folder, read_dataset, write_dataset
from paraisite.datasets.table import DatasetError
from paraisite.files.replacing import replacing
from paraisite.network.downloading import DownloadError, Remote, download, downloads_folder, read_listing

CONNECTIONS = 4
"""Files that are downloaded at a time."""

Progress = Callable[[str, int, int], object]
"""Told what is downloaded, how many bytes are here, and how many there will be."""


def fetch(
    name: str,
    mirror: str | Path | None = None,
    *,
    force: bool = False,
    progress: Progress | None = None,
    say: Callable[[str], object] = lambda line: None,
) -> Path:
    """Put a named dataset into the cache, where `load` finds it, and return its folder.

    With a mirror its neutral copies are read and nothing is downloaded. Otherwise the upstream files come from their
    public source (or what PARAISITE_UPSTREAM names in its place), each verified, and are converted. Either way the
    content must be the registered one.

    Parameters
    ----------
    name : str
        A name or alias of `datasets.yml`.
    mirror : str or Path, optional
        By default PARAISITE_MIRROR.
    force : bool
        Make it again though it is in the cache (files that are downloaded and verified are used again).
    progress : callable, optional
        See `Progress`.
    say : callable
        Told in a line what the cache holds now, and where it comes from.

    Raises
    ------
    DatasetError
        If there is no such dataset, it is had from a mirror only, or a file cannot be had or is not the registered
        one; the cache is left as it was.
    """
    card = find(name)
    if card is None:
        raise DatasetError(f"{name}: unknown dataset; choose from {', '.join(registry())}")
    folder = cached_folder(card)
    for part in card.parts:
        fetch(part, mirror, force=force, progress=progress)
    rows = f"{card.name}: {card.rows} rows"
    if not force and _is_here(card, folder):
        say(f"{rows}, in the cache already, content verified")
        return folder
    root = mirror_folder(mirror)
    whence = (
        f"made of {' and '.join(card.parts)}" if card.parts else f"from the mirror {root}" if root else "downloaded"
    )
    if card.holds == "formulas":
        if root and not in_mirror(card, root):
            raise DatasetError(not_in_mirror(card, root))
        paths = [root / file for file in card.mirror] if root else list(_download(card, progress).values())
        read_formulas(card, paths)
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            with replacing(folder / path.name) as aside:
                shutil.copyfile(path, aside)
        say(f"{rows}, {whence}, content verified")
        return folder
    if card.parts:
        dataset = load(card.name, mirror)
    elif root:
        dataset = read_mirror(card, root)
    elif card.by_hand:
        raise DatasetError(f"{card.name} is not downloaded from its upstream files; {card.by_hand}")
    else:
        dataset = with_labels(_convert(card, _download(card, progress)), card)
    origin = str(root) if root else [upstream.url for upstream in card.upstream]
    written = write_dataset(
        dataset, folder, notes=card.notes, licence=card.licence, citation=card.citation, origin={"made of": origin}
    )
    say(f"{rows}, {whence}, content verified")
    return written


def _is_here(card: DatasetCard, folder: Path) -> bool:
    """Tell whether the cache holds the registered content, undamaged."""
    try:
        if card.holds == "formulas":
            read_formulas(card, [folder / Path(file).name for file in card.mirror])
            return True
        return is_dataset_folder(folder) and read_dataset(folder).content_hash == card.content_hash
    except DatasetError:
        return False


def _convert(card: DatasetCard, files: dict[str, Path]) -> Dataset:
    from paraisite.datasets.upstream import convert

    dataset = convert(card, files)
    if dataset.content_hash != card.content_hash:
        raise DatasetError(
            f"{card.name}: the upstream files are the registered ones, but what was made of them is not (content hash "
            f"{dataset.content_hash}, expected {card.content_hash}); please report it with `paraisite --version`"
        )
    return dataset


def _download(card: DatasetCard, progress: Progress | None) -> dict[str, Path]:
    """Download the upstream files of a dataset: address -> file, or folder of files."""
    count = _Count(card.name, progress)
    files: dict[str, Path] = {}
    wanted: list[tuple[Remote, Path]] = []
    try:
        for upstream in card.upstream:
            files[upstream.url] = target = downloads_folder(upstream.url)
            if upstream.sha256:
                wanted.append((Remote(upstream.url, upstream.sha256, bytes=upstream.bytes), target))
            else:
                members = _members(upstream)
                files[upstream.url] = members[0][1].parent
                wanted += members
        count.total = sum(remote.bytes or 0 for remote, _ in wanted)
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            running = [pool.submit(download, remote, path, count.advance) for remote, path in wanted]
            try:
                for future in running:
                    future.result()
            except BaseException:
                count.stopped = True
                pool.shutdown(cancel_futures=True)
                raise
    except (DownloadError, OSError) as error:
        raise DatasetError(f"{card.name}: {error}") from error
    return files


def _members(upstream: Upstream) -> list[tuple[Remote, Path]]:
    """Files of a folder in a GitHub repository at a commit.

    GitHub's API lists them with their git hashes; the listing itself is verified by the hash of the tree.
    """
    parts = re.fullmatch(r"https://github\.com/([^/]+/[^/]+)/tree/([0-9a-f]{40})/(.+)", upstream.url)
    if parts is None or upstream.git_tree is None:
        raise DatasetError(f"{upstream.url}: not a folder of a GitHub repository at a commit; correct datasets.yml")
    repository, commit, folder = parts.groups()
    listing = f"https://api.github.com/repos/{repository}/git/trees/{upstream.git_tree}"
    entries = read_listing(download(Remote(listing, upstream.git_tree, "git tree"), downloads_folder(listing)))
    base = f"https://raw.githubusercontent.com/{repository}/{commit}/{folder}"
    remotes = [Remote(f"{base}/{entry['path']}", entry["sha"], "git blob", entry.get("size")) for entry in entries]
    return [(remote, downloads_folder(remote.url)) for remote in remotes]


class _Count:
    """Adds up what several connections bring."""

    def __init__(self, name: str, progress: Progress | None) -> None:
        self.name, self.progress = name, progress
        self.total = self.done = 0
        self.stopped = False
        self.lock = threading.Lock()

    def advance(self, n: int) -> None:
        if self.stopped:
            raise DownloadError("stopped")
        with self.lock:
            self.done += n
            if self.progress is not None:
                self.progress(self.name, self.done, self.total)
