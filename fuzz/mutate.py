"""Mutation of JSON inside an input: a value is changed, moved or removed, and the text stays JSON."""

from __future__ import annotations

import json
import random
from typing import Any

STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 0.5, 1e308, -1e308, 1e-320, float("nan"), float("inf"), 2**31, 2**63, 10**40),
    *("", "Si", "X", "\x1b[31m", "=1+1", "0", "nan", "é\ud800", "../../x", [], {}, [[]], [1, 2, 3], [None], {"": 0}),
)
"""What programs do not expect."""


def mutate(data: bytes, cut: bytes, longest: int, seed: int) -> bytes | None:
    """Return the input with a change inside one of its parts that are JSON; None where none is or it grows too long."""
    chance = random.Random(seed)
    parts = data.split(cut)
    order = list(range(len(parts)))
    chance.shuffle(order)
    for i in order:
        try:
            document = json.loads(parts[i])
        except (ValueError, RecursionError):
            continue
        box = [document]
        for _ in range(chance.choice((1, 1, 2, 4))):
            _change(box, chance)
        parts[i] = json.dumps(box[0]).encode()
        changed = cut.join(parts)
        return changed if len(changed) <= longest else None
    return None


def _places(value: Any, found: list[tuple[Any, Any]]) -> None:
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        found.append((value, key))
        if isinstance(value[key], (dict, list)):
            _places(value[key], found)


def _change(box: list[Any], chance: random.Random) -> None:
    found: list[tuple[Any, Any]] = []
    _places(box, found)
    holder, key = chance.choice(found)
    match chance.randrange(6):
        case 0 if len(found) > 1 and holder is not box:
            del holder[key]
        case 1 if isinstance(holder, list) and holder is not box:
            holder.insert(key, json.loads(json.dumps(holder[key])))
        case 2:
            other, name = chance.choice(found)
            holder[key] = json.loads(json.dumps(other[name]))
        case 3 if isinstance(holder[key], (int, float)) and not isinstance(holder[key], bool):
            holder[key] = chance.choice((-holder[key], holder[key] * 1e6, holder[key] + 1, holder[key] / 3))
        case 4 if isinstance(holder, dict):
            holder[chance.choice([str(name) for _, name in found])] = holder[key]
        case _:
            holder[key] = json.loads(json.dumps(chance.choice(STRANGE)))
