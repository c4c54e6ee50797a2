"""Makes the helpers of `tests/unit/graphs` and `tests/unit/model` importable."""

from __future__ import annotations

import sys
from pathlib import Path

UNIT = Path(__file__).resolve().parents[2] / "unit"
sys.path[:0] = [str(UNIT / "graphs"), str(UNIT / "model")]
