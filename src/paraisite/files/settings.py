"""`read_mapping` and `read_settings`: YAML files of settings, the latter checked key by key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError


class SettingsError(ValueError):
    """A settings file cannot be used; the message names it, the key and what to do."""


def read_mapping(
    path: Path | Traversable, keys: Iterable[str], error: type[ValueError] = SettingsError, name: object = None
) -> dict[str, Any]:
    """Read a YAML file of keys and values; an empty one has none.

    Parameters
    ----------
    path : Path or Traversable
    keys : iterable of str
        Named where the file is not a mapping; what they hold is for the caller to check.
    error : type
        Raised with a message if the file cannot be read, is not YAML or is not a mapping.
    name : object, optional
        Stands for `path` in messages.
    """
    name = name or path
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as problem:
        raise error(f"{name}: cannot be read ({problem.strerror}); name a YAML file") from None
    except UnicodeDecodeError as problem:
        raise error(f"{name}: not UTF-8 (byte {problem.start + 1}); save it as UTF-8") from None
    except (yaml.YAMLError, ValueError, RecursionError) as problem:  # a date such as 2026-02-30 is a ValueError
        raise error(f"{name}: not valid YAML ({' '.join(str(problem).split())}); correct it") from None
    if content is not None and not isinstance(content, dict):
        raise error(f"{name}: not a mapping of keys to values; the keys are {', '.join(keys)}")
    return content or {}


def read_settings(
    path: Path, kind: type[BaseModel], parsers: Mapping[str, Callable[[str, str], Any]] = MappingProxyType({})
) -> dict[str, Any]:
    """Read what a file sets; keys that it leaves out keep their defaults.

    Parameters
    ----------
    path : Path
        YAML: a mapping of fields of `kind` to values.
    kind : type
    parsers : mapping, optional
        For fields that may be written as on the command line: told the text or number, as text, and where it stands.

    Raises
    ------
    SettingsError
        If the file cannot be read, or has an unknown key or an invalid value.
    """
    fields = list(kind.model_fields)
    content = read_mapping(path, fields)
    for key in map(str, content):
        if key not in fields:
            near = get_close_matches(key.replace("-", "_"), fields, 1, cutoff=0)[0]
            raise SettingsError(f"{path}: unknown key {key}; did you mean {near}? The keys are {', '.join(fields)}")
    for key, parse in parsers.items():
        if type(value := content.get(key)) in (str, int, float):
            content[key] = parse(str(value), f"{path}: {key}")
    try:
        kind(**content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "settings"
        raise SettingsError(f"{path}: {place}: {first['msg'].removeprefix('Value error, ')}") from None
    return content
