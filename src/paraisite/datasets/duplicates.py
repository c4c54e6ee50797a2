"""Which crystals are the same: pymatgen's StructureMatcher within each formula, in parallel over formulas."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import cache
from itertools import combinations
from multiprocessing import active_children, get_context
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from paraisite.crystals.crystal import Crystal
from paraisite.datasets.table import DatasetError
from paraisite.processes.spawning import deaf, ignore_interrupts

if TYPE_CHECKING:
    from pymatgen.core import Structure

Progress = Callable[[int, int], None]
"""Is told how many of how many comparisons are done."""


class Matching(BaseModel):
    """When two crystals of one formula are the same.

    Narrower than pymatgen's own tolerances (0.2, 0.3, 5°, any volume), which call polar and non-polar variants of one
    motif the same (wurtzite and hexagonal AlN, LiGaGe and ZrBeSi types) and with them their conductivities. Of the
    pairs that those match in `aflow_agl`, nine in ten agree to 0.05 in the site tolerance and most others not to 0.1.

    Attributes
    ----------
    length_tolerance : float
        Largest relative difference of lattice lengths, after scaling to equal volume.
    site_tolerance : float
        Largest root mean square displacement, in units of the cube root of the volume per site.
    angle_tolerance : float
        Largest difference of lattice angles in degrees.
    volume_tolerance : float
        Largest absolute difference of the natural logarithm of the volume per site: functionals differ by up to 8 %,
        spin states and pressures by more.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    length_tolerance: float = Field(default=0.05, gt=0, le=0.5)
    site_tolerance: float = Field(default=0.05, gt=0, le=0.5)
    angle_tolerance: float = Field(default=3.0, gt=0, le=15)
    volume_tolerance: float = Field(default=0.1, gt=0)


def same_crystals(
    crystals: Sequence[Crystal],
    matching: Matching | None = None,
    *,
    parts: Sequence[int] | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[tuple[int, ...]]:
    """Group the crystals that are the same.

    Being the same is made transitive: whatever is linked by a chain of matches is one group. The groups depend neither
    on the order of the crystals nor on the number of processes.

    Parameters
    ----------
    crystals : sequence of Crystal, length n
    matching : Matching, optional
    parts : sequence of int, length n, optional
        Crystals of equal part (dataset) are not compared with each other.
    workers : int
        Processes; more than one needs a script that can be imported (``if __name__ == "__main__":``).
    progress : callable, optional
        Called with the pairs compared so far and all pairs.

    Returns
    -------
    list of tuple of int
        Indices of the crystals of each group of two or more, ascending; groups in the order of their first index.
    """
    matching = matching or Matching()
    by_formula: dict[str, list[int]] = defaultdict(list)
    for i, crystal in enumerate(crystals):
        by_formula[crystal.formula].append(i)
    tasks: list[tuple[list[int], list[tuple[int, int]]]] = []
    for rows in by_formula.values():
        if len(rows) > 1 and (pairs := _candidates(crystals, rows, matching, parts)):
            tasks.append((rows, pairs))
    # the most expensive first, so that no process ends with a long one while the others wait
    tasks.sort(key=lambda task: -sum(crystals[i].n_sites for pair in task[1] for i in pair))
    total, done = sum(len(pairs) for _, pairs in tasks), 0
    links: list[tuple[int, int]] = []
    for n_pairs, found in _run(crystals, tasks, matching, workers):
        links.extend(found)
        done += n_pairs
        if progress is not None:
            progress(done, total)
    return components(links)


def components(links: Iterable[tuple[int, int]]) -> list[tuple[int, ...]]:
    """Group whatever is linked by a chain, each group ascending, in the order of their first members."""
    parent: dict[int, int] = {}

    def root(i: int) -> int:
        while (above := parent.setdefault(i, i)) != i:
            i = above
        return i

    for i, j in links:
        first, second = sorted((root(i), root(j)))
        parent[second] = first
    groups: dict[int, list[int]] = defaultdict(list)
    for i in sorted(parent):
        groups[root(i)].append(i)
    return [tuple(groups[first]) for first in sorted(groups)]


def by_content(crystal: Crystal) -> tuple[int, float, bytes]:
    """Key that sorts crystals of one formula in an order that does not depend on the one that they come in."""
    return crystal.n_sites, crystal.volume, crystal.positions.tobytes()


def _candidates(
    crystals: Sequence[Crystal], rows: list[int], matching: Matching, parts: Sequence[int] | None
) -> list[tuple[int, int]]:
    """Pairs of one formula whose volumes agree, in an order that the content of the crystals decides."""
    rows = sorted(rows, key=lambda i: by_content(crystals[i]))
    size = {i: math.log(crystals[i].volume / crystals[i].n_sites) for i in rows}
    return [
        (i, j)
        for i, j in combinations(rows, 2)
        if abs(size[i] - size[j]) <= matching.volume_tolerance and (parts is None or parts[i] != parts[j])
    ]


def _run(
    crystals: Sequence[Crystal],
    tasks: list[tuple[list[int], list[tuple[int, int]]]],
    matching: Matching,
    workers: int,
) -> Iterable[tuple[int, list[tuple[int, int]]]]:
    """Yield the number of pairs and the matches of each task, in any order."""
    if workers <= 1 or len(tasks) < 20:  # a process takes a second to start
        for rows, pairs in tasks:
            yield len(pairs), _match({i: crystals[i] for i in rows}, pairs, matching)
        return
    others = set(active_children())
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=ignore_interrupts)
    try:
        with deaf():
            running: dict[Future[list[tuple[int, int]]], int] = {
                pool.submit(_match, {i: crystals[i] for i in rows}, pairs, matching): len(pairs)
                for rows, pairs in tasks
            }
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    except BaseException:
        for process in set(active_children()) - others:  # else they finish what they have begun before this one ends
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)  # unless waited for, its thread and Python's end use one pipe at a time


def _match(crystals: dict[int, Crystal], pairs: list[tuple[int, int]], matching: Matching) -> list[tuple[int, int]]:
    """Compare the pairs of one formula, leaving out those that a chain of matches links already."""
    group = {i: i for i in crystals}
    found = []

    def link(i: int, j: int) -> None:
        found.append((i, j))
        old, new = group[j], group[i]
        group.update((k, new) for k, g in group.items() if g == old)

    for i, j in pairs:  # the same to the bit: StructureMatcher would take 20 ms to say so
        if group[i] != group[j] and _content(crystals[i]) == _content(crystals[j]):
            link(i, j)
    if all(group[i] == group[j] for i, j in pairs):
        return found
    try:
        from pymatgen.core.structure_matcher import StructureMatcher
    except ImportError:  # where pymatgen-core did not have it yet
        try:
            from pymatgen.analysis.structure_matcher import StructureMatcher
        except ImportError as error:
            raise DatasetError("comparing crystals needs StructureMatcher: pip install -U pymatgen-core") from error

    matcher = StructureMatcher(
        ltol=matching.length_tolerance, stol=matching.site_tolerance, angle_tol=matching.angle_tolerance
    )

    @cache
    def reduced(i: int) -> Structure:
        """As StructureMatcher does it itself, but then four times for each pair."""
        return crystals[i].to_pymatgen().get_reduced_structure("niggli").get_primitive_structure()

    for i, j in pairs:
        # both ways: what StructureMatcher says may depend on which crystal comes first
        if group[i] != group[j] and matcher.fit(reduced(i), reduced(j), symmetric=True, skip_structure_reduction=True):
            link(i, j)
    return found


def _content(crystal: Crystal) -> tuple[bytes, bytes, bytes]:
    return crystal.numbers.tobytes(), crystal.cell.tobytes(), crystal.positions.tobytes()
