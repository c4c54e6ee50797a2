"""Makes the helpers of `tests/unit/crystals` and `tests/unit/graphs` importable."""

from __future__ import annotations

import sys
from pathlib import Path

UNIT = Path(__file__).resolve().parents[2] / "unit"
sys.path[:0] = [str(UNIT / "crystals"), str(UNIT / "graphs")]
