"""One rule for all outputs: what stands there already stays as it is, unless `--overwrite` is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path


class OutputError(ValueError):
    """An output cannot be written; the message names it and what to do."""


class OutputExists(OutputError):
    """Something stands where an output would go; the message names it and what to do."""


def refuse_existing(paths: Path | Iterable[Path], overwrite: bool = False, remedy: str = "") -> None:
    """Look before the work begins whether files may be written.

    Parameters
    ----------
    paths : Path or iterable of Path
        Files that would be written.
    overwrite : bool
        Whether files there may be replaced; folders and devices never are.
    remedy : str
        What to do, where that is not to give --overwrite or another name.

    Raises
    ------
    OutputExists
        If one of them exists (as a broken link, too) and may not be replaced.
    """
    for path in [paths] if isinstance(paths, Path) else paths:
        if path.is_dir():
            raise OutputExists(f"{path} is a folder; give the name of a file")
        if path.exists() and not path.is_file():
            raise OutputExists(f"{path} is a device or pipe, not a file; give another name")
        if not overwrite and (path.exists() or path.is_symlink()):
            raise OutputExists(f"{path} exists already; {remedy or 'name another file, or give --overwrite'}")


def refuse_folder(folder: Path, what: str, ours: Callable[[Path], bool], overwrite: bool = False) -> None:
    """Look before the work begins whether a folder may be written to: a new or empty one, or one that we made.

    Parameters
    ----------
    folder : Path
    what : str
        What would be written, as in "dataset".
    ours : callable
        Told the folder; whether it holds such a thing.
    overwrite : bool
        Whether that may be replaced. A folder that holds anything else is never written to.

    Raises
    ------
    OutputExists
        If it may not.
    """
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir():
        raise OutputExists(f"{folder}: is a file; name a folder with -o")
    if ours(folder):
        if not overwrite:
            raise OutputExists(
                f"{folder}: holds a {what} already; --overwrite replaces it, or name another folder with -o"
            )
    elif any(not path.name.startswith(".") for path in folder.iterdir()):
        raise OutputExists(f"{folder}: is not empty and does not hold a {what}; name a new folder with -o")
