"""`read_settings`: a YAML file of settings, checked key by key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError


class SettingsError(ValueError):
    """A settings file cannot be used; the message names it, the key and what to do."""


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
        For fields that may be written as text, as on the command line: told the text and where it stands.

    Raises
    ------
    SettingsError
        If the file cannot be read, or has an unknown key or an invalid value.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); name a YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid YAML ({' '.join(str(error).split())}); correct it") from None
    fields = list(kind.model_fields)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: not a mapping of keys to values; the keys are {', '.join(fields)}")
    for key in map(str, content):
        if key not in fields:
            near = get_close_matches(key.replace("-", "_"), fields, 1, cutoff=0)[0]
            raise SettingsError(f"{path}: unknown key {key}; did you mean {near}? The keys are {', '.join(fields)}")
    for key, parse in parsers.items():
        if isinstance(content.get(key), str):
            content[key] = parse(content[key], f"{path}: {key}")
    try:
        kind(**content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "settings"
        raise SettingsError(f"{path}: {place}: {first['msg'].removeprefix('Value error, ')}") from None
    return content
