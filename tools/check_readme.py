"""Keep README.md and docs equal to results/: every block between markers, and every figure, is made from result files.

    .venv/bin/python tools/check_readme.py           exits with 1 where a block or figure is stale
    .venv/bin/python tools/check_readme.py --write   renews them

A block stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``. A figure holds the fingerprint of the data it
was drawn from.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
from make_as_published import as_published, quirks, switches
from make_band_gap import electrons
from make_cleaning import cleaning
from make_direction import direction
from make_fuzz import fuzz
from make_kappa import kappa, kappa_classes, kappa_properties, kappa_spread
from make_overlap import overlap
from make_published import few_table, published_table
from make_relaxation import relaxation
from make_screening import screening
from make_study import FIGURES, baselines, contradictions, crabnet, cross, figures, grouped, steps, study
from make_temperature import temperatures
from make_transfers import learning_curve, transfers
from make_transfers import pictures as transfer_figures
from make_tune import pictures as tune_figures
from make_tune import space, tune, tuned
from make_verify import compounds, convergence, examples, pipeline, verified
from make_verify import pictures as verify_figures
from make_volume import volume_warning
from make_ways import against, deviations, learned, ways
from make_ways import pictures as ways_figures
from markdown_table import table
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME
from rich.text import Text

from paraisite.prediction import COLUMNS
from paraisite.targets import TARGETS
from paraisite.web.columns import described

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
PAGES = (ROOT / "README.md", ROOT / "src/paraisite/model/pretrained/kappa/README.md", *ROOT.glob("docs/*.md"))
CARD = json.loads((ROOT / "src/paraisite/model/pretrained/kappa/card.json").read_text(encoding="utf-8"))
TERMINAL = FIGURES / "demo.svg"
BLOCK = re.compile(r"<!-- begin (?P<name>[\w-]+) -->\n(?P<body>.*?)<!-- end (?P=name) -->", re.DOTALL)

SEEDS = range(1, 6)


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return content


def over_folds(result: dict[str, Any], name: str) -> str:
    """Mean (std) over the five folds."""
    value = result["over_folds"][name]
    return f"{value['mean']:.3f} ({value['std']:.3f})"


def accuracy() -> str:
    """Out-of-fold errors of every variant."""
    rows = []
    for title, name in (
        ("**`kappa-mix`: step III, folds of rows, `agl=no_overlap`**", "step3-no_overlap-1"),
        ("step III, folds of rows, `agl=all`", "step3-all-1"),
        ("step III by fine-tuning, folds of rows, `agl=no_overlap`", "step3-finetune-no_overlap-1"),
        ("step II (no AGL), folds of rows", "step2"),
        ("step I (nothing pretrained), folds of rows", "step1"),
        ("`kappa-mix-by-formula`: step III, folds of formulas", "step3-formula"),
        ("step III by fine-tuning, folds of formulas", "step3-finetune-formula"),
    ):
        result = read(name)
        shown = [over_folds(result, m) for m in ("mape", "median_ape", "male", "spearman")]
        rows.append([title, *shown, *(f"{result['by_dataset'][d]['male']:.3f}" for d in ("l96", "hh143"))])
    header = ["model", "MAPE", "median APE", "MALE", "Spearman", "MALE, l96", "MALE, hh143"]
    agl = read("agl")
    whole = agl["all"]
    note = (
        f"\nAGL itself, recipe `agl` ({agl['members']} networks of their own, whose head's descriptors were "
        f"first tried on this very tenth) on a random tenth of `aflow_agl` ({whole['n']:.0f} crystals): "
        f"MAPE {whole['mape']:.3f}, median APE {whole['median_ape']:.3f}, MALE {whole['male']:.3f}, "
        f"Spearman {whole['spearman']:.3f}.\n"
    )
    return table(header, rows) + note


def intervals() -> str:
    """Coverage, width and score of the 90 % interval over the fold seeds."""
    rows = []
    for variant, recipe in (("all", "step3"), ("no_overlap", "step3"), ("all", "step3-finetune")):
        names = [f"{recipe}-{variant}-{s}" for s in SEEDS]
        found = [read(name) for name in names if (RESULTS / f"{name}.json").is_file()]

        def mean(*keys: str, runs: list[dict[str, Any]] = found) -> float:
            values = []
            for run in runs:
                value: Any = run
                for key in keys:
                    value = value[key]
                values.append(value)
            return float(np.mean(values))

        rows.append(
            [
                f"`{recipe}`, `agl={variant}`, {len(found)} seed{'s' if len(found) > 1 else ''}",
                *(f"{mean('all', m):.3f}" for m in ("mape", "male")),
                f"{100 * mean('all', 'coverage'):.1f} %",
                *(f"{100 * mean('by_dataset', d, 'coverage'):.1f} %" for d in ("l96", "hh143")),
                f"{mean('all', 'width'):.2f}",
                f"{mean('all', 'interval_score'):.3f}",
                f"{mean('constant_width', 'interval_score'):.3f}",
            ]
        )
    header = [
        "variant",
        "MAPE",
        "MALE",
        "coverage",
        "l96",
        "hh143",
        "median high/low",
        "interval score",
        "constant width",
    ]
    return table(header, rows)


def demo() -> str:
    """What `make demo` printed when the results were made."""
    return "```text\n" + (RESULTS / "demo.txt").read_text().rstrip() + "\n```\n"


def properties() -> str:
    """What the default model predicts, as `paraisite.targets` knows it."""
    names = CARD["kappa"]["config"]["targets"]
    shares = [target.share for target in TARGETS.values() if target.name in names and target.share]
    predicted = {*names, *(part for share in shares for part in (share.part, share.rest)), "formation_energy"}
    rows = [
        [f"`{t.name}`", f"`{t.column}`", t.unit, f"{t.temperature:g} K" if t.temperature else "", t.description]
        for t in TARGETS.values()
        if t.name in predicted - {"kappa"}
    ]
    return table(["property", "column", "unit", "at", "meaning"], rows)


def columns() -> str:
    """Columns of a prediction."""
    rows = [[f"`{c['name']}`", c["type"], c["unit"] or "", c["meaning"].replace("``", "`")] for c in described(COLUMNS)]
    return table(["column", "type", "unit", "meaning"], rows)


def terminal() -> str:
    """What `make demo` printed, as a picture of a terminal."""
    text = (RESULTS / "demo.txt").read_text().rstrip()
    console = Console(record=True, width=max(map(len, text.splitlines())), file=io.StringIO())
    console.print(Text(text), highlight=False)
    fonts = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)  # on a server of somebody else
    return console.export_svg(
        title="paraisite demo",
        unique_id="demo",
        theme=DEFAULT_TERMINAL_THEME,
        code_format=fonts.sub("", CONSOLE_SVG_FORMAT),
    )


def noise() -> str:
    """How predictions change with noise on the positions."""
    rows = [[f"{sigma} Å", *(f"{value:.3f}" for value in found.values())] for sigma, found in read("noise").items()]
    return table(["noise of each coordinate", "median change of log10 κ", "exceeded by 5 %", "largest"], rows)


BLOCKS = {
    "as-published": as_published,
    "quirks": quirks,
    "switches": switches,
    "space": space,
    "tune": tune,
    "tuned": tuned,
    "study": study,
    "grouped": grouped,
    "screening": screening,
    "cross": cross,
    "crabnet": crabnet,
    "baselines": baselines,
    "steps": steps,
    "overlap": overlap,
    "relaxation": relaxation,
    "direction": direction,
    "temperature": temperatures,
    "electrons": electrons,
    "volume-warning": volume_warning,
    "cleaning": lambda: cleaning(read("cleaning_aflow_agl")),
    "accuracy": accuracy,
    "intervals": intervals,
    "columns": columns,
    "demo": demo,
    "kappa": kappa,
    "kappa-spread": kappa_spread,
    "kappa-classes": kappa_classes,
    "kappa-properties": kappa_properties,
    "noise": noise,
    "properties": properties,
    "published": published_table,
    "few-values": few_table,
    "learning-curve": learning_curve,
    "transfers": transfers,
    "ways": ways,
    "learned": learned,
    "deviations": deviations,
    "quick-full": against,
    "verified": verified,
    "compounds": compounds,
    "examples": examples,
    "convergence": convergence,
    "pipeline": pipeline,
    "fuzz": fuzz,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="renew blocks and figures instead of checking them")
    arguments = parser.parse_args()
    stale = 0
    for page in PAGES:
        text = page.read_text(encoding="utf-8")

        def fresh(match: re.Match[str]) -> str:
            name = match["name"]
            return f"<!-- begin {name} -->\n{BLOCKS[name]()}<!-- end {name} -->"

        renewed = BLOCK.sub(fresh, text)
        if renewed != text:
            stale += 1
            if arguments.write:
                page.write_text(renewed, encoding="utf-8")
            print(f"{page.relative_to(ROOT)}: {'renewed' if arguments.write else 'disagrees with results/'}")
    drawn = [*figures(), *tune_figures(), *verify_figures(), *ways_figures(), *transfer_figures()]
    for picture in drawn:
        if not picture.is_current(FIGURES):
            stale += 1
            if arguments.write:
                FIGURES.mkdir(exist_ok=True)
                picture.save(FIGURES)
            name = (FIGURES / picture.name).relative_to(ROOT)
            print(f"{name}: {'drawn' if arguments.write else 'not drawn from what results/ hold'}")
    if not TERMINAL.is_file() or TERMINAL.read_text(encoding="utf-8") != terminal():
        stale += 1
        if arguments.write:
            TERMINAL.write_text(terminal(), encoding="utf-8")
        print(f"{TERMINAL.relative_to(ROOT)}: {'drawn' if arguments.write else 'not drawn from what results/ hold'}")
    if wrong := contradictions():
        print("results/study_runs.csv and study_predictions.csv: " + "; ".join(wrong), file=sys.stderr)
        return 1
    if stale and not arguments.write:
        print("run `.venv/bin/python tools/check_readme.py --write` and look at the difference", file=sys.stderr)
        return 1
    print(f"{len(PAGES)} pages and {len(drawn)} figures agree with results/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
