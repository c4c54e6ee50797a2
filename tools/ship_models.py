"""Put the trained run into the package as the shipped model.

.venv/bin/python tools/ship_models.py [--runs DIR]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from paraisite.model.checkpoint import Checkpoint
from paraisite.model.registry import DEFAULT

ROOT = Path(__file__).parents[1]
LICENCE = "MIT; the networks started from MEGNet-MP-2018.6.1-Eform of matgl (BSD-3-Clause), see NOTICE"


def ship(name: str, run: Path) -> None:
    """Write the run's model into the package under its shipped name, keeping the model card that stands there."""
    folder = ROOT / "src/paraisite/model/pretrained" / name
    page = folder / "README.md"
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    checkpoint = Checkpoint.load(run / "model")
    checkpoint.card.name, checkpoint.card.licence = name, LICENCE
    checkpoint.save(folder)
    if text:
        page.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the training runs")
    ship(DEFAULT, parser.parse_args().runs / DEFAULT)


if __name__ == "__main__":
    main()
