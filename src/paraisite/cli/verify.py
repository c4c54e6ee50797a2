"""`paraisite verify`: conductivities from lattice dynamics, beside the predicted ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from paraisite.cli.console import say
from paraisite.cli.errors import FAILED, guarded, load_libraries, wrong_usage
from paraisite.cli.options import (
    Device,
    DeviceOption,
    MirrorOption,
    PerSystemOption,
    SettingsOption,
    WhereOption,
    given,
    parse_temperatures,
    positive,
    refuse,
    tell_replaced,
)

EXAMPLES = """Examples:

\b
  paraisite verify crystal.cif -o verified/
  paraisite verify l96 -o l96/ --workers 2 --resume
  paraisite verify --from screen.parquet --top 10 --where 'n_sites <= 8 and applicability > 0.1' -o verified/
  paraisite verify crystal.cif --quick -o quick/
  paraisite verify crystal.cif --potential ase.calculators.emt:EMT --reference --mesh 19 -o emt/

Each crystal gets a folder (input and relaxed structure, force constants for phonopy and phono3py, kappa-*.hdf5, bands,
result.json, figures) and a row of summary.csv. To resume an interrupted run, repeat the command with --resume.
Details: docs/verify.md.

--quick takes seconds: harmonic phonons by the potential times a lifetime learned from first-principles conductivities.
It writes result.json and the row: kappa with a 90 % interval and its directions, stability, sound velocities, Grüneisen
parameter, the Slack estimate and minimum conductivities.

\b
Exit status: 0 if something has a result or is shown to be unstable; 1 if everything failed; 2 on wrong usage."""


COMMON = (
    "output", "table", "top", "where", "quick", "potential", "temperatures", "max_hours", "workers", "resume",
    "settings", "quiet",
)  # fmt: skip

FULL_ONLY = (
    "mesh", "supercell", "fc2_supercell", "max_fc2_atoms", "reference",
    "snapshots", "fc3_cutoff", "lbte", "coherence", "isotopes", "born", "force", "seed",
)  # fmt: skip
"""Parameters that --quick does not use."""

FIELDS = {
    "max_atoms": "max_supercell_atoms",
    "max_fc2_atoms": "max_fc2_supercell_atoms",
    "length": "supercell_length",
    "max_memory": "max_memory_GB",
}
"""Fields of the settings that their options call otherwise."""


@guarded
def verify(
    ctx: typer.Context,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="INPUT", help="Files, folders, archives, or a dataset's name.", show_default=False),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Folder of the results; existing results require --resume.",
        ),
    ] = Path("verified"),
    table: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Verify the best rows of a table of `paraisite screen`.",
        ),
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="With --from: maximum number of rows.")] = 10,
    above: Annotated[
        float | None, typer.Option("--above", help="With --from: lower limit on kappa; highest first.")
    ] = None,
    where: WhereOption = "",
    per_system: PerSystemOption = None,
    sample: Annotated[
        int | None, typer.Option("--sample", metavar="N", min=1, help="Use at most N inputs, evenly spaced.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Harmonic phonons times a learned lifetime (seconds).")
    ] = False,
    potential: Annotated[
        str | None,
        typer.Option(
            "--potential",
            metavar="NAME|MODULE:FACTORY",
            help="Registered potential, or Python factory of an ASE calculator.",
            show_default="nequix-oam-1-pft",
        ),
    ] = None,
    temperatures: Annotated[
        str,
        typer.Option(
            "--temperatures",
            metavar="FIRST:LAST:STEP|LIST",
            help="Temperatures in K; 300 is always included, and the only default with --quick.",
        ),
    ] = "100:1000:100",
    mesh: Annotated[
        str,
        typer.Option(
            "--mesh", metavar="auto|N|NxNxN", help="Wave vectors along each axis; auto: until kappa converges."
        ),
    ] = "auto",
    supercell: Annotated[
        str, typer.Option("--supercell", metavar="auto|NxNxN", help="Supercell for fc3, in conventional cells.")
    ] = "auto",
    max_atoms: Annotated[
        int | None,
        typer.Option(
            "--max-atoms",
            min=1,
            help="Maximum number of atoms per supercell (fc3).",
            show_default="100; 160 with --quick",
        ),
    ] = (None),
    fc2_supercell: Annotated[
        str,
        typer.Option(
            "--fc2-supercell", metavar="auto|NxNxN", help="Supercell for the second-order force constants (fc2)."
        ),
    ] = "auto",
    max_fc2_atoms: Annotated[
        int | None,
        typer.Option("--fc2-max-atoms", min=1, help="Maximum number of atoms per supercell (fc2).", show_default="350"),
    ] = None,
    length: Annotated[
        float | None,
        typer.Option(
            "--length",
            metavar="ANGSTROM",
            help="Target diameter of the inscribed sphere (fc3).",
            show_default="12",
            callback=positive,
        ),
    ] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="Use finite displacements instead of random snapshots.")
    ] = False,
    snapshots: Annotated[
        int | None, typer.Option("--snapshots", min=2, help="Number of random snapshots (even).")
    ] = None,
    fc3_cutoff: Annotated[
        float | None,
        typer.Option(
            "--fc3-cutoff",
            metavar="ANGSTROM",
            help="Cutoff distance of the third-order force constants.",
            callback=positive,
        ),
    ] = None,
    lbte: Annotated[
        bool,
        typer.Option(
            "--lbte", help="Solve the linearised Boltzmann equation instead of the relaxation-time approximation."
        ),
    ] = False,
    coherence: Annotated[
        bool,
        typer.Option("--coherence/--no-coherence", help="Include the coherence term of the Wigner transport equation."),
    ] = True,
    isotopes: Annotated[
        bool, typer.Option("--isotopes", help="Include isotope scattering (natural abundances).")
    ] = False,
    born: Annotated[
        Path | None,
        typer.Option(
            "--born",
            metavar="FILE|DIR",
            exists=True,
            help="Born charges: a BORN file of phonopy, or a folder of ID.BORN.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Compute kappa despite imaginary modes.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Random seed for the displacements.")] = 0,
    max_hours: Annotated[float, typer.Option("--max-hours", help="Time limit per crystal.", callback=positive)] = 1.0,
    max_memory: Annotated[
        float, typer.Option("--max-memory", metavar="GB", help="Memory limit per crystal.", callback=positive)
    ] = 10.0,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Number of worker processes.")] = 1,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads per worker.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the run in DIR.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="With --resume: repeat failed crystals.")] = False,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME|DIR",
            help="Model to compare with; members not trained on the formula are used where possible.",
            show_default="kappa",
            callback=tell_replaced,
        ),
    ] = None,
    no_predict: Annotated[bool, typer.Option("--no-predict", help="Omit the comparison with predictions.")] = False,
    figures: Annotated[bool, typer.Option("--figures/--no-figures", help="Draw figures.")] = True,
    settings: SettingsOption = None,
    device: DeviceOption = Device.cpu,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Hide progress.")] = False,
    mirror: MirrorOption = None,
) -> None:
    """Compute lattice thermal conductivities with an interatomic potential and phono3py, next to predictions."""
    load_libraries()
    with wrong_usage():
        from paraisite.files.settings import read_settings
        from paraisite.model.registry import DEFAULT
        from paraisite.phonons.settings import QuickSettings, Settings
        from paraisite.phonons.subject import shortlisted, subjects, with_expectations
        from paraisite.phonons.verify import Verification, missing_packages
        from paraisite.potentials import full_name

        missing_packages()
        if not inputs and table is None:
            raise ValueError("name crystals to verify, a dataset, or a table with --from")
        for unused, parameters, reason in (
            (quick, FULL_ONLY, "has no effect with --quick; leave it out"),
            (table is None, ("top", "above", "where", "per_system"), "requires --from"),
            (table is not None, ("sample",), "cannot be used with --from; use --top"),
            (
                table is not None,
                ("model", "no_predict"),
                "has no effect with --from, whose table holds the predictions",
            ),
            (supercell != "auto", ("max_atoms", "length"), "has no effect with --supercell; leave one out"),
            (
                supercell != "auto" or fc2_supercell != "auto",
                ("max_fc2_atoms",),
                "has no effect with --supercell or --fc2-supercell; leave one out",
            ),
            (reference, ("snapshots", "seed"), "has no effect with --reference, which displaces atoms one by one"),
            (not resume, ("retry",), "requires --resume"),
        ):
            if unused:
                refuse(ctx, parameters, reason)
        if snapshots is not None and snapshots % 2:
            raise ValueError(
                f"--snapshots {snapshots}: snapshots come in pairs of opposite displacements; give an even number"
            )
        kind: type[Settings | QuickSettings] = QuickSettings if quick else Settings
        chosen: dict[str, Any] = read_settings(settings, kind, PARSERS) if settings is not None else {}
        for parameter, value in given(ctx).items():
            if (field := FIELDS.get(parameter, parameter)) in kind.model_fields:
                parse = PARSERS.get(field)
                chosen[field] = parse(value, f"--{field.replace('_', '-')}") if parse is not None else value
        chosen["potential"] = full_name(chosen.get("potential", kind.model_fields["potential"].default))
        if table is not None:
            from paraisite.screening.shortlist import Wish, condition

            wish = Wish(above=above, top=top, per_system=per_system, keep=condition(where, table))
            found = shortlisted(table, wish, inputs or ())
        else:
            found = subjects(inputs or (), mirror, None if no_predict else model or DEFAULT, sample)
        if not found:
            nothing = f"no row of {table} meets the conditions" if table is not None else "the inputs hold no crystal"
            raise ValueError(f"nothing to verify: {nothing}")
        if quick:
            found = with_expectations(found)
        verification = Verification(
            found,
            output,
            kind(**chosen),
            mirror=mirror,
            device=device.value,
            born=born,
            figures=figures,
            resume=resume,
            retry=retry,
        )
    with wrong_usage():
        for event in verification.run(workers=workers, threads=threads):
            if not quiet:
                say(event, err=True)
    if not quiet:
        counts = Counter("pending" if result is None else result.status for result in verification.results)
        said = ", ".join(f"{n} {status}" for status, n in counts.items())
        say(f"{said}; written: {verification.summary}", err=True)
    if not verification.useful:
        raise typer.Exit(FAILED)


def _multiples(text: str, place: str) -> tuple[int, int, int] | None:
    """Parse ``auto``, ``N`` or ``NxNxN``."""
    if text == "auto":
        return None
    parts = text.lower().split("x")
    if len(parts) in (1, 3) and all(part.isdecimal() and int(part) > 0 for part in parts):
        a, b, c = (int(part) for part in (parts * 3 if len(parts) == 1 else parts))
        return a, b, c
    raise ValueError(f"{place} {text}: write auto, a number such as 11, or three such as 11x11x7")


PARSERS: dict[str, Callable[[str, str], Any]] = {
    "temperatures": parse_temperatures,
    "mesh": _multiples,
    "supercell": _multiples,
    "fc2_supercell": _multiples,
}
"""For settings that may be written as text."""
