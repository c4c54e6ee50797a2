"""`paraisite verify`: conductivities from lattice dynamics, beside the predicted ones."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from paraisite.cli.console import say
from paraisite.cli.errors import FAILED, guarded, load_libraries, wrong_usage
from paraisite.cli.options import Device, DeviceOption, MirrorOption, PerSystemOption, WhereOption, tell_replaced

EXAMPLES = """Examples:

\b
  paraisite verify crystal.cif -o verified/
  paraisite verify l96 -o l96/ --workers 2 --resume
  paraisite verify --from screen.parquet --top 10 --where 'n_sites <= 8 and applicability > 0.1' -o verified/
  paraisite verify crystal.cif --quick -o quick/
  paraisite verify crystal.cif --potential ase.calculators.emt:EMT --reference --mesh 19 -o emt/

Each crystal gets a folder of its own (input and relaxed structure, force constants that phonopy and phono3py read,
kappa-*.hdf5, bands, result.json, figures), and a row of summary.csv. The same command with --resume goes on where an
interrupted one stopped; docs/verify.md has the rest.

With --quick there is result.json and a row only: velocities of sound, Debye temperature, Grüneisen parameter, heat
capacity, minimum conductivities, and Slack's estimate, which ranks better than it measures.

\b
Exit status: 0 if something has a result or is shown to be unstable; 1 if everything failed; 2 on wrong usage."""


FULL_ONLY = (
    "temperatures", "mesh", "supercell", "max_atoms", "length", "fc2_supercell", "max_fc2_atoms", "reference",
    "snapshots", "fc3_cutoff", "lbte", "coherence", "isotopes", "born", "force", "seed",
)  # fmt: skip
"""Parameters that mean nothing to a quick look."""


def _positive(value: float | None) -> float | None:
    """Take a finite number above zero only."""
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter(f"{value:g} is not a number above 0")
    return value


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
            help="Folder of the results; one that holds some is refused without --resume.",
        ),
    ] = Path("verified"),
    table: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE", exists=True, dir_okay=False, help="Take the best rows of a screen's FILE.parquet."
        ),
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="Rows to take with --from.")] = 10,
    above: Annotated[
        float | None, typer.Option("--above", help="With --from: look for kappa above this, the highest first.")
    ] = None,
    where: WhereOption = "",
    per_system: PerSystemOption = None,
    sample: Annotated[
        int | None, typer.Option("--sample", metavar="N", min=1, help="N of the inputs at most, evenly drawn.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Sound, heat and Slack's estimate only: seconds, no supercells.")
    ] = False,
    potential: Annotated[
        str | None,
        typer.Option(
            "--potential",
            metavar="NAME|MODULE:FACTORY",
            help="A registered potential, or what makes an ASE calculator.",
            show_default="nequix-mp-1-pft; tensornet-matpes with --quick",
        ),
    ] = None,
    temperatures: Annotated[
        str, typer.Option("--temperatures", metavar="FIRST:LAST:STEP|LIST", help="In K; 300 is always among them.")
    ] = "100:1000:100",
    mesh: Annotated[
        str, typer.Option("--mesh", metavar="auto|N|NxNxN", help="Wave vectors along each axis; auto converges.")
    ] = "auto",
    supercell: Annotated[
        str, typer.Option("--supercell", metavar="auto|NxNxN", help="Multiples of the conventional cell.")
    ] = "auto",
    max_atoms: Annotated[int | None, typer.Option("--max-atoms", min=1, help="Of a supercell.", show_default="100")] = (
        None
    ),
    fc2_supercell: Annotated[
        str,
        typer.Option("--fc2-supercell", metavar="auto|NxNxN", help="Of the second order; auto: 20 Å, or --supercell."),
    ] = "auto",
    max_fc2_atoms: Annotated[
        int | None,
        typer.Option("--max-fc2-atoms", min=1, help="Of one of the second order.", show_default="350"),
    ] = None,
    length: Annotated[
        float | None,
        typer.Option(
            "--supercell-length",
            metavar="ANGSTROM",
            help="Enough for a supercell.",
            show_default="12",
            callback=_positive,
        ),
    ] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="Finite displacements instead of random snapshots.")
    ] = False,
    snapshots: Annotated[
        int | None, typer.Option("--snapshots", min=2, help="Random snapshots; an even number, half are opposites.")
    ] = None,
    fc3_cutoff: Annotated[
        float | None,
        typer.Option(
            "--fc3-cutoff", metavar="ANGSTROM", help="Range of third-order force constants.", callback=_positive
        ),
    ] = None,
    lbte: Annotated[
        bool, typer.Option("--lbte", help="Solve the linearised Boltzmann equation, not its relaxation-time form.")
    ] = False,
    coherence: Annotated[
        bool, typer.Option("--coherence/--no-coherence", help="The coherence term of the Wigner transport equation.")
    ] = True,
    isotopes: Annotated[bool, typer.Option("--isotopes", help="Scattering by the natural isotopes.")] = False,
    born: Annotated[
        Path | None,
        typer.Option(
            "--born", metavar="FILE|DIR", exists=True, help="Born charges (phonopy's BORN); a folder has ID.BORN."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="A conductivity in spite of imaginary modes.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Of the random snapshots.")] = 0,
    max_hours: Annotated[float, typer.Option("--max-hours", help="Bound for one crystal.", callback=_positive)] = 1.0,
    max_memory: Annotated[
        float, typer.Option("--max-memory", metavar="GB", help="Bound for one crystal.", callback=_positive)
    ] = 10.0,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Crystals at a time.")] = 1,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Of each worker.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what DIR holds.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="With --resume: try failed crystals again.")] = False,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME|DIR",
            help="Model to compare with: its networks that never saw the formula, if it has such.",
            show_default="kappa",
            callback=tell_replaced,
        ),
    ] = None,
    no_predict: Annotated[bool, typer.Option("--no-predict", help="Compare with no prediction.")] = False,
    figures: Annotated[bool, typer.Option("--figures/--no-figures", help="Draw figures.")] = True,
    device: DeviceOption = Device.cpu,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    mirror: MirrorOption = None,
) -> None:
    """Compute lattice thermal conductivities with an interatomic potential and phono3py, beside predicted ones."""
    load_libraries()
    with wrong_usage():
        from paraisite.model.registry import DEFAULT
        from paraisite.phonons.potentials import full_name
        from paraisite.phonons.settings import DEFAULT_POTENTIAL, QUICK_POTENTIAL, QuickSettings, Settings
        from paraisite.phonons.subject import shortlisted, subjects
        from paraisite.phonons.verify import Verification, missing_packages

        missing_packages()
        if not inputs and table is None:
            raise ValueError("name crystals to verify, a dataset, or a table with --from")
        for given, parameters, reason in (
            (quick, FULL_ONLY, "means nothing to --quick, which computes no conductivity; leave it out"),
            (table is None, ("top", "above", "where", "per_system"), "chooses rows of a table: name one with --from"),
            (table is not None, ("sample",), "draws from inputs; with --from use --top"),
            (table is not None, ("model", "no_predict"), "means nothing with --from, whose table holds predictions"),
            (supercell != "auto", ("max_atoms", "length"), "bounds a supercell that is chosen; here one is given"),
            (
                supercell != "auto" or fc2_supercell != "auto",
                ("max_fc2_atoms",),
                "bounds one that is chosen; here one is given",
            ),
            (reference, ("snapshots", "seed"), "means nothing to --reference, which takes no random snapshots"),
            (not resume, ("retry",), "goes on with a folder: say --resume too"),
        ):
            if given:
                _refuse(ctx, parameters, reason)
        if snapshots is not None and snapshots % 2:
            raise ValueError(
                f"--snapshots {snapshots}: half of them are the opposites of the others; give an even number"
            )
        name = full_name(potential or (QUICK_POTENTIAL if quick else DEFAULT_POTENTIAL))
        bounds = {"max_hours": max_hours, "max_memory_GB": max_memory}
        chosen: dict[str, Any] = {
            "temperatures": _temperatures(temperatures),
            "reference": reference,
            "snapshots": snapshots,
            "fc3_cutoff": fc3_cutoff,
            "lbte": lbte,
            "coherence": coherence,
            "isotopes": isotopes,
            "force": force,
            "seed": seed,
            "mesh": _multiples(mesh, "--mesh"),
            "supercell": _multiples(supercell, "--supercell"),
            "fc2_supercell": _multiples(fc2_supercell, "--fc2-supercell"),
        }
        bounds_of_size = {
            "max_supercell_atoms": max_atoms,
            "max_fc2_supercell_atoms": max_fc2_atoms,
            "supercell_length": length,
        }
        chosen |= {name: value for name, value in bounds_of_size.items() if value is not None}
        settings: Settings | QuickSettings
        settings = QuickSettings(potential=name, **bounds) if quick else Settings(potential=name, **bounds, **chosen)
        if table is not None:
            from paraisite.screening.shortlist import Wish, condition

            wish = Wish(above=above, top=top, per_system=per_system, keep=condition(where, table))
            found = shortlisted(table, wish, inputs or ())
        else:
            found = subjects(inputs or (), mirror, None if no_predict else model or DEFAULT, sample)
        if not found:
            nothing = f"no row of {table} is wanted" if table is not None else "the inputs hold no crystal"
            raise ValueError(f"there is nothing to verify: {nothing}")
        verification = Verification(
            found,
            output,
            settings,
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


def _refuse(ctx: typer.Context, parameters: Sequence[str], reason: str) -> None:
    """Raise a ValueError if one of these parameters was given."""
    for parameter in ctx.command.params:
        source = ctx.get_parameter_source(parameter.name or "")
        if parameter.name in parameters and source is not None and source.name == "COMMANDLINE":
            raise ValueError(f"{parameter.opts[0]} {reason}")


def _temperatures(text: str) -> tuple[float, ...]:
    """Parse ``FIRST:LAST:STEP`` or a list."""
    try:
        if ":" not in text:
            found = tuple(float(part) for part in text.split(","))
            if not all(map(math.isfinite, found)):
                raise ValueError
            return found
        first, last, step = (float(part) for part in text.split(":"))
        if step <= 0 or last < first or not math.isfinite(last - first):
            raise ValueError
        return tuple(first + i * step for i in range(int((last - first) / step + 1e-9) + 1))
    except ValueError:
        raise ValueError(f"--temperatures {text}: write FIRST:LAST:STEP, such as 100:1000:100, or 300,600") from None


def _multiples(text: str, option: str) -> tuple[int, int, int] | None:
    """Parse ``auto``, ``N`` or ``NxNxN``."""
    if text == "auto":
        return None
    parts = text.lower().split("x")
    if len(parts) in (1, 3) and all(part.isdecimal() and int(part) > 0 for part in parts):
        a, b, c = (int(part) for part in (parts * 3 if len(parts) == 1 else parts))
        return a, b, c
    raise ValueError(f"{option} {text}: write auto, a number such as 11, or three such as 11x11x7")
