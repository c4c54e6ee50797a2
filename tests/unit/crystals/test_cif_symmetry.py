"""CIF: lists of operators that are no group or not the one named, and the spellings of space groups."""

from __future__ import annotations

import gemmi
import pytest
from test_cif import BI2TE3, ROCKSALT, WURTZITE, crystal_cif, cube, hm, one, operators, reason

from paraisite.crystals.space_groups import by_name

PYRITE = (cube(5.418), "Fe 0 0 0\nS 0.3851 0.3851 0.3851")
RUTILE = ((4.594, 4.594, 2.959, 90, 90, 90), "Ti 0 0 0\nO 0.3053 0.3053 0")


def listed(*triplets: str) -> str:
    return "loop_\n_symmetry_equiv_pos_as_xyz\n" + "\n".join(f"'{t}'" for t in triplets)


def triplets(name: str) -> list[str]:
    return [op.triplet() for op in gemmi.SpaceGroup(name).operations()]


@pytest.mark.parametrize(
    ("data", "name", "part", "n"),
    [
        (WURTZITE, "P 63 m c", ["x,y,z"], 4),
        (PYRITE, "P a -3", triplets("P a -3")[:12], 12),  # half of the group, and a group itself
        (RUTILE, "P 42/m n m", triplets("P 42/m n m")[:8] + triplets("P 42/m n m")[9:], 6),
        (RUTILE, "P 42/m n m", triplets("P 42/m n m")[1:], 6),
        (ROCKSALT, "F m -3 m", triplets("F m -3 m")[:48], 8),  # no centring
        (ROCKSALT, "F m -3 m", ["x,y,z", "z,x,y", "-y,x,z", "-x,-y,-z", "x+1/2,y+1/2,z", "x,y+1/2,z+1/2"], 8),
        (BI2TE3, "R -3 m:H", triplets("R -3 m:H")[:12], 15),
        ((cube(8), "Cu 0.11 0.23 0.37"), "P 2 3", ["x,y,z", "z,x,y", "-x,-y,z"], 12),
    ],
)
@pytest.mark.parametrize("by", ["name", "number", "Hall"])
def test_a_part_of_the_operators_is_completed_with_a_note(
    data: tuple[tuple[float, ...], str], name: str, part: list[str], n: int, by: str
) -> None:
    group = gemmi.SpaceGroup(name)
    said = {
        "name": hm(name),
        "number": f"_space_group_IT_number {group.number}",
        "Hall": f"_space_group_name_Hall '{group.hall}'",
    }
    crystal = one(crystal_cif(data[0], f"{said[by]}\n{listed(*part)}", data[1]))
    assert crystal.n_sites == n
    (note,) = crystal.notes
    assert "list them all to be sure" in note


def test_operators_that_are_no_group_are_completed_from_themselves_or_rejected() -> None:
    cell, sites = (cube(8), "Cu 0.11 0.23 0.37")
    almost = triplets("P 2 3")[:-1]
    crystal = one(crystal_cif(cell, listed(*almost), sites))
    assert crystal.n_sites == 12
    assert "the 11 operators listed do not form a group and were completed to the 12" in crystal.notes[0]
    said = reason(crystal_cif(cell, listed("x,y,z", "z,x,y", "-x,-y,z"), sites))
    assert said.startswith("the 3 symmetry operators listed do not form a group")
    wrong = [*triplets("P 2 3")[:-1], "x+1/4,y,z"]
    assert "not form a group" in reason(crystal_cif(cell, f"{hm('P 2 3')}\n{listed(*wrong)}", sites))


def test_an_operator_that_keeps_no_lattice_is_rejected() -> None:
    assert "'x,x,z' does not map a lattice onto itself" in reason(
        crystal_cif(cube(5), listed("x,y,z", "x,x,z"), "Cu 0 0 0")
    )


@pytest.mark.parametrize("name", ["P 63/m m c", "P 6 m m", "F m -3 m", "P 1", "P 21/c", "Q 99"])
def test_a_complete_list_wins_over_another_name(name: str) -> None:
    crystal = one(crystal_cif(WURTZITE[0], f"{hm(name)}\n{operators('P 63 m c')}", WURTZITE[1]))
    assert crystal.n_sites == 4
    assert all("atoms are missing" in note for note in crystal.notes)


@pytest.mark.parametrize("repeated", [triplets("F m -3 m") * 2, [f"{t}+1" for t in triplets("F m -3 m")] + ["x,y,z"]])
def test_operators_listed_twice_count_once(repeated: list[str]) -> None:
    crystal = one(crystal_cif(ROCKSALT[0], f"{hm('F m -3 m')}\n{listed(*repeated)}", ROCKSALT[1]))
    assert crystal.n_sites == 8
    assert not crystal.notes


def test_a_cell_written_out_may_keep_the_name_of_its_group() -> None:
    whole = "\n".join(
        f"{z} {x} {y} {z_}"
        for z, x, y, z_ in [
            ("Zn", 1 / 3, 2 / 3, 0),
            ("Zn", 2 / 3, 1 / 3, 0.5),
            ("O", 1 / 3, 2 / 3, 0.3825),
            ("O", 2 / 3, 1 / 3, 0.8825),
        ]
    )
    distorted = whole.replace("0.8825", "0.8625")
    for sites in (whole, distorted):
        crystal = one(crystal_cif(WURTZITE[0], f"{hm('P 63 m c')}\n{listed('x,y,z')}", sites))
        assert crystal.n_sites == 4
        assert not crystal.notes


def test_the_content_settles_whether_a_short_list_is_meant() -> None:
    group = f"{hm('P 63 m c')}\n{listed('x,y,z')}\n_chemical_formula_sum 'O Zn'\n_cell_formula_units_Z "
    by_list = one(crystal_cif(WURTZITE[0], group + "1", WURTZITE[1]))
    by_name_ = one(crystal_cif(WURTZITE[0], group + "2", WURTZITE[1]))
    assert (by_list.n_sites, by_list.notes) == (2, ())
    assert by_name_.n_sites == 4
    assert by_name_.notes


def test_too_many_operators_are_rejected_before_they_are_applied() -> None:
    many = listed(*(f"x+{i}/24,y+{j}/24,z+{k}/24" for i in range(24) for j in range(24) for k in range(24)))
    assert "lists 13824 operators, more than the limit of 768" in reason(crystal_cif(cube(5), many, "Cu 0.1 0.2 0.3"))


def test_a_name_against_a_number_is_noted() -> None:
    crystal = one(crystal_cif(WURTZITE[0], f"{hm('P 63 m c')}\n_symmetry_Int_Tables_number 156", WURTZITE[1]))
    assert crystal.n_sites == 4
    assert "states space group P 63 m c (number 186) and space group number 156; the first was used" in crystal.notes[0]
    assert not one(crystal_cif(WURTZITE[0], f"{hm('P 63 m c')}\n_symmetry_Int_Tables_number 186", WURTZITE[1])).notes


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("F 4/m -3 2/m", "F m -3 m"),
        ("F4/m-32/m", "F m -3 m"),
        ("P 21/n 21/m 21/a", "P n m a"),
        ("P21/n21/m21/a", "P n m a"),
        ("P 63/m 2/m 2/c", "P 63/m m c"),
        ("P 42/m 21/n 2/m", "P 42/m n m"),
        ("I 21/a -3", "I a -3"),
        ("I 41/a -3 2/d", "I a -3 d"),
        ("P -3 2/m 1", "P -3 m 1"),
        ("R -3 2/c", "R -3 c:H"),
        ("P 6~3~/m m c", "P 63/m m c"),
        ("P6<sub>3</sub>mc", "P 63 m c"),
        ("$P6_{3}/mmc$", "P 63/m m c"),
        (r"Fm\bar{3}m", "F m -3 m"),
        ("Fm\u22123m", "F m -3 m"),
        ("P6\u2083/mmc", "P 63/m m c"),
        ("P 63 / m m c", "P 63/m m c"),
        ("p63/mmc", "P 63/m m c"),
        ("F m -3 m (225)", "F m -3 m"),
        ("Fm-3m, No. 225", "F m -3 m"),
        ("R -3 m :H", "R -3 m:H"),
        ("R-3m:h", "R -3 m:H"),
        ("R -3 m (hexagonal axes)", "R -3 m:H"),
        ("R -3 m HR", "R -3 m:H"),
        ("R -3 m R", "R -3 m:R"),
        ("Fd-3mZ", "F d -3 m:2"),
        ("F d -3 m : 1", "F d -3 m:1"),
        ("F d -3 m (origin choice 2)", "F d -3 m:2"),
    ],
)
def test_spellings_of_space_groups(name: str, short: str) -> None:
    assert [group.xhm() for group in by_name(name, True)] == [short]


def test_every_tabulated_name_is_its_group() -> None:
    for group in gemmi.spacegroup_table():
        if ")" not in group.xhm():
            (found,) = by_name(group.xhm(), False)
            assert found.hall == group.hall


def test_what_is_no_space_group_has_none() -> None:
    assert not any(by_name(name, False) for name in ("Q 99", "unknown", "P 21/x -3", "Z", ":1", "(225)"))
