"""CIF: symmetry, occupancies, species and spelling, against pymatgen where it reads the same."""

from __future__ import annotations

import warnings
from pathlib import Path

import gemmi
import numpy as np
import pytest
from bad_inputs import cif
from hypothesis import given, settings
from hypothesis import strategies as st

from paraisite.crystals import Crystal, Rejection
from paraisite.crystals.cif import read_cif


def one(text: str, **options: str) -> Crystal:
    (item,) = read_cif(text, id="x", source="x.cif", **options)  # type: ignore[arg-type]
    assert isinstance(item, Crystal), item
    return item


def reason(text: str, **options: str) -> str:
    (item,) = read_cif(text, id="x", source="x.cif", **options)  # type: ignore[arg-type]
    assert isinstance(item, Rejection), item
    return item.reason


def by_pymatgen(text: str):
    from pymatgen.io.cif import CifParser

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CifParser.from_str(text).parse_structures(primitive=False)[0]


def crystal_cif(cell: tuple[float, ...], group: str, sites: str) -> str:
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    lines = "\n".join(f"_cell_{name} {value}" for name, value in zip(names, cell, strict=True))
    rows = "\n".join(f"{row.split()[0]}{i} {row}" for i, row in enumerate(sites.splitlines()))
    return (
        f"data_x\n{lines}\n{group}\nloop_\n_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n"
        f"_atom_site_fract_y\n_atom_site_fract_z\n{rows}\n"
    )


def operators(name: str) -> str:
    triplets = "\n".join(f"'{op.triplet()}'" for op in gemmi.SpaceGroup(name).operations())
    return f"loop_\n_symmetry_equiv_pos_as_xyz\n{triplets}"


def hm(name: str) -> str:
    return f"_symmetry_space_group_name_H-M '{name}'"


def cube(a: float) -> tuple[float, ...]:
    return (a, a, a, 90, 90, 90)


ROCKSALT = (cube(5.64), "Na 0 0 0\nCl 0.5 0.5 0.5")
WURTZITE = ((3.2498, 3.2498, 5.2066, 90, 90, 120), "Zn 0.3333 0.6667 0\nO 0.3333 0.6667 0.3825")
PEROVSKITE = (cube(3.905), "Sr 0.5 0.5 0.5\nTi 0 0 0\nO 0.5 0 0")
BI2TE3 = ((4.3835, 4.3835, 30.487, 90, 90, 120), "Bi 0 0 0.4005\nTe 0 0 0\nTe 0 0 0.2095")
ZRO2 = (
    (5.1505, 5.2116, 5.3173, 90, 99.23, 90),
    "Zr 0.2754 0.0395 0.2083\nO 0.07 0.3317 0.3447\nO 0.4496 0.7569 0.4792",
)
DIAMOND_1 = (cube(3.567), "C 0 0 0")
DIAMOND_2 = (cube(3.567), "C 0.125 0.125 0.125")

SYMMETRIC = {
    "rock salt, operators": (*ROCKSALT, operators("F m -3 m"), 8, "NaCl"),
    "rock salt, name": (*ROCKSALT, hm("F m -3 m"), 8, "NaCl"),
    "rock salt, number": (*ROCKSALT, "_symmetry_Int_Tables_number 225", 8, "NaCl"),
    "wurtzite, operators": (*WURTZITE, operators("P 63 m c"), 4, "ZnO"),
    "wurtzite, name": (*WURTZITE, hm("P 63 m c"), 4, "ZnO"),
    "wurtzite, underlined name": (*WURTZITE, hm("P6_3mc"), 4, "ZnO"),
    "wurtzite, number": (*WURTZITE, "_space_group_IT_number 186", 4, "ZnO"),
    "diamond 1, operators": (*DIAMOND_1, operators("F d -3 m:1"), 8, "C"),
    "diamond 1, name": (*DIAMOND_1, hm("F d -3 m"), 8, "C"),
    "diamond 2, operators": (*DIAMOND_2, operators("F d -3 m:2"), 8, "C"),
    "perovskite, operators": (*PEROVSKITE, operators("P m -3 m"), 5, "SrTiO3"),
    "perovskite, name": (*PEROVSKITE, hm("P m -3 m"), 5, "SrTiO3"),
    "rhombohedral, operators": (*BI2TE3, operators("R -3 m:H"), 15, "Bi2Te3"),
    "rhombohedral, name": (*BI2TE3, hm("R -3 m"), 15, "Bi2Te3"),
    "rhombohedral, number": (*BI2TE3, "_symmetry_Int_Tables_number 166", 15, "Bi2Te3"),
    "monoclinic, operators": (*ZRO2, operators("P 1 21/c 1"), 12, "ZrO2"),
    "monoclinic, name": (*ZRO2, hm("P 1 21/c 1"), 12, "ZrO2"),
}


@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetry_is_expanded_as_by_pymatgen(name: str) -> None:
    cell, sites, group, n, formula = SYMMETRIC[name]
    text = crystal_cif(cell, group, sites)
    crystal, structure = one(text), by_pymatgen(text)
    assert crystal.n_sites == n == len(structure)
    assert crystal.formula == formula == structure.composition.reduced_formula
    assert crystal.volume == pytest.approx(structure.volume, rel=1e-9)
    differences = crystal.positions[:, None] - structure.frac_coords[None]
    same = (np.abs(differences - np.rint(differences)).max(axis=-1) < 1e-3) & (
        crystal.numbers[:, None] == np.array(structure.atomic_numbers)
    )
    assert (same.sum(axis=0) == 1).all()
    assert (same.sum(axis=1) == 1).all()


# pymatgen takes these to be P 1
@pytest.mark.parametrize(
    ("data", "group", "n"),
    [
        (DIAMOND_2, hm("F d -3 m:2"), 8),
        (DIAMOND_2, hm("F d -3 m Z"), 8),
        (DIAMOND_1, hm("F d -3 m S"), 8),
        (DIAMOND_2, "_space_group_name_Hall '-F 4vw 2vw 3'", 8),
        (ROCKSALT, hm("Fm3m"), 8),
        (ZRO2, hm("P21/c"), 12),
        (WURTZITE, hm("P6(3)mc"), 4),
        (BI2TE3, hm("R -3 m :H"), 15),
        (BI2TE3, hm("R -3 m H"), 15),
        (
            ((10.473, 10.473, 10.473, 24.17, 24.17, 24.17), "Bi 0.4 0.4 0.4\nTe 0 0 0\nTe 0.21 0.21 0.21"),
            hm("R -3 m"),
            5,
        ),
        (((10.473, 10.473, 10.473, 24.17, 24.17, 24.17), "Te 0 0 0"), "_space_group_IT_number 166", 1),
    ],
)
def test_settings_and_origins(data: tuple[tuple[float, ...], str], group: str, n: int) -> None:
    assert one(crystal_cif(data[0], group, data[1])).n_sites == n


@pytest.mark.parametrize("position", ["0 0 0", "0.125 0.125 0.125"])
def test_open_origin_choice_is_settled_by_the_content(position: str) -> None:
    stated = "_chemical_formula_sum Si\n_cell_formula_units_Z 8\n"
    crystal = one(crystal_cif(cube(5.431), stated + hm("F d -3 m"), f"Si {position}"))
    assert crystal.n_sites == 8
    assert not crystal.notes


def test_open_origin_choice_is_settled_by_the_multiplicity() -> None:
    text = (
        "data_x\n" + "\n".join(f"_cell_length_{x} 5.431" for x in "abc") + "\n"
        "_cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90\n_space_group_IT_number 227\nloop_\n"
        "_atom_site_label\n_atom_site_symmetry_multiplicity\n_atom_site_fract_x\n_atom_site_fract_y\n"
        "_atom_site_fract_z\nSi1 8 0.125 0.125 0.125\n"
    )
    assert one(text).n_sites == 8


def test_assumed_origin_choice_is_noted() -> None:
    crystal = one(crystal_cif(*(cube(5.431), hm("F d -3 m"), "Si 0 0 0")))
    assert crystal.n_sites == 8
    assert any("origin choice 1 assumed" in note for note in crystal.notes)


@pytest.mark.parametrize("group", ["", hm("P 1"), hm("P1"), "_symmetry_Int_Tables_number 1", hm("?")])
def test_without_symmetry_the_sites_are_all(group: str) -> None:
    assert one(crystal_cif(cube(4), group, "Na 0 0 0\nCl 0.5 0.5 0.5")).n_sites == 2


@pytest.mark.parametrize("digits", [3, 4, 5, 8])
def test_rounded_special_positions_make_no_duplicates(digits: int) -> None:
    third, two = f"{1 / 3:.{digits}f}", f"{2 / 3:.{digits}f}"
    sites = f"Zn {third} {two} 0\nO {third} {two} 0.3825"
    crystal = one(crystal_cif(WURTZITE[0], hm("P 63 m c"), sites))
    assert crystal.n_sites == 4
    # moved onto the threefold axis, so that equal bonds are equal
    thirds = crystal.positions[:, :2] * 3
    assert np.allclose(thirds, np.round(thirds), atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    group=st.sampled_from([g.xhm() for g in gemmi.spacegroup_table_itb() if g.crystal_system_str() == "cubic"]),
    position=st.tuples(*[st.sampled_from([0.0, 0.125, 0.25, 0.3, 0.5, 0.75, 0.8125])] * 3),
)
def test_orbits_are_those_of_gemmi(group: str, position: tuple[float, float, float]) -> None:
    text = crystal_cif(cube(40), operators(group), "Cu " + " ".join(map(str, position)))
    small = gemmi.make_small_structure_from_block(gemmi.cif.read_string(text)[0])
    images = {tuple(np.round((np.array(s.fract.tolist()) % 1.0), 6) % 1.0) for s in small.get_all_unit_cell_sites()}
    crystal = one(text)
    assert {tuple(np.round(x, 6) % 1.0) for x in crystal.positions.tolist()} == images
    assert crystal.n_sites == len(images)


def test_partial_occupancies_on_one_site_are_summed() -> None:
    sites = "A Fe 0 0 0 0.7\nB Ni 0 0 0 0.3\nS1 S 0.5 0.5 0.5 1"
    assert "site 1 (A) is disordered: Fe0.7Ni0.3" in reason(cif(sites))
    crystal = one(cif(sites), disorder="majority")
    assert crystal.formula == "FeS"
    assert crystal.n_sites == 8
    assert any("Fe0.7Ni0.3" in note and "read as Fe" in note for note in crystal.notes)


def test_two_entries_of_one_element_may_fill_a_site() -> None:
    assert one(cif("A Fe 0 0 0 0.6\nB Fe 0 0 0 0.4\nS1 S 0.5 0.5 0.5 1")).n_sites == 8


def test_majority_needs_more_than_half() -> None:
    sites = "A Fe 0 0 0 0.5\nB Ni 0 0 0 0.5\nS1 S 0.5 0.5 0.5 1"
    assert "without a majority" in reason(cif(sites), disorder="majority")


def test_mostly_vacant_site_is_dropped_with_a_note() -> None:
    crystal = one(cif("A Fe 0 0 0 1\nB Ni 0.25 0.25 0.25 0.2\nS1 S 0.5 0.5 0.5 1"), disorder="majority")
    assert crystal.formula == "FeS"
    assert any("mostly vacant (Ni0.2)" in note for note in crystal.notes)


def test_empty_site_is_left_out_with_a_note() -> None:
    crystal = one(cif("A Fe 0 0 0 1\nB Ni 0.25 0.25 0.25 0\nS1 S 0.5 0.5 0.5 1"))
    assert crystal.formula == "FeS"
    assert any("is empty" in note for note in crystal.notes)


def test_nearly_full_site_is_full() -> None:
    assert one(cif("A Na 0 0 0 0.9995\nB Cl 0.5 0.5 0.5 1.0002")).formula == "NaCl"


def test_species_are_elements() -> None:
    crystal = one(cif("Fe1 Fe3+ 0 0 0 1\nO1 O2- 0.5 0.5 0.5 1\nD1 D 0.25 0.25 0.25 .", group=""))
    assert crystal.symbols == ["Fe", "O", "H"]


def test_labels_stand_in_for_types() -> None:
    text = cif("Fe1 ? 0 0 0 1\nO2A . 0.5 0.5 0.5 1", group="")
    assert one(text).symbols == ["Fe", "O"]
    assert one(text.replace("_atom_site_type_symbol", "_atom_site_note")).symbols == ["Fe", "O"]


def test_numbers_with_uncertainty() -> None:
    crystal = one(cif("Na1 Na 0.1(2) 0 0 1\nCl1 Cl 0.5123(14) 0.5 0.5 1.0(1)", a="5.640(12)", group=""))
    assert crystal.cell[0, 0] == pytest.approx(5.64)
    assert crystal.positions[1, 0] == pytest.approx(0.5123)


def test_missing_atoms_are_noted() -> None:
    crystal = one(cif(group="_chemical_formula_sum 'H2 Na Cl'"))
    assert any("states" in note and "NaCl" in note for note in crystal.notes)
    stated = "_symmetry_space_group_name_H-M 'P 1'\n"
    assert not one(cif(group=stated + "_chemical_formula_sum 'Na Cl'")).notes


def test_a_file_without_any_symmetry_is_noted() -> None:
    assert any("states no symmetry" in note for note in one(cif(group="")).notes)
    assert not one(cif(group="_symmetry_Int_Tables_number 1")).notes


def test_blocks_without_sites_are_passed_over() -> None:
    text = "data_global\n_journal_name_full 'J. Test'\n" + cif()
    (item,) = read_cif(text, id="stem", source="f.cif")
    assert (item.id, item.source) == ("stem", "f.cif")


def test_several_blocks() -> None:
    text = cif(name="first") + cif(name="second", a="6")
    items = list(read_cif(text, id="stem", source="f.cif"))
    assert [(i.id, i.source) for i in items] == [("first", "f.cif#first"), ("second", "f.cif#second")]


def test_blocks_of_one_name_are_counted() -> None:
    items = list(read_cif(cif() + cif(a="6"), id="stem", source="f.cif"))
    assert [(i.id, i.source) for i in items] == [("stem-0", "f.cif#0"), ("stem-1", "f.cif#1")]


def test_rejection_carries_the_stated_formula() -> None:
    (item,) = read_cif(cif("A Fe ? 0 0 1", group="_chemical_formula_sum 'Fe4 O6'"), id="x", source="x")
    assert isinstance(item, Rejection)
    assert (item.formula, item.n_elements) == ("Fe2O3", 2)


@pytest.mark.parametrize("text", ["data_a\n_x 'ä'\n# ö\n", "data_ü\n_x ä\n"])
def test_words_outside_ascii(text: str) -> None:
    assert one(text + cif()[len("data_NaCl\n") :]).n_sites == 8


def test_examples_are_read_as_by_pymatgen() -> None:
    from paraisite.crystals import read

    folder = Path(__file__).parents[3] / "src/paraisite/examples/crystals"
    sites = {}
    for crystal in read([folder]):
        assert isinstance(crystal, Crystal)
        assert not crystal.notes
        structure = by_pymatgen(Path(crystal.source).read_text())
        assert crystal.n_sites == len(structure)
        assert crystal.formula == structure.composition.reduced_formula
        sites[crystal.id] = crystal.n_sites
    counts = {"BAs": 8, "C": 8, "CsI": 2, "GaAs": 8, "MgO": 8, "NaCl": 8, "PbTe": 8, "Si": 8, "TiNiSn": 12, "ZnO": 4}
    counts |= {"BN": 4, "Bi2Te3": 15, "CaF2": 12, "CoSb3": 32, "CuInSe2": 16, "La2Zr2O7": 88, "Mg2SiO4": 28}
    counts |= {"Mg3Sb2": 5, "SnSe": 8, "SrTiO3": 5}
    assert sites == counts


@pytest.mark.parametrize("group", ["H2O", "CH3", "SO4", "NH4+", "NO3", "CN", "OH"])
def test_a_group_of_atoms_is_no_element(group: str) -> None:
    said = reason(cif(f"Na1 Na 0 0 0 1\nG1 {group} 0.5 0.5 0.5 1"))
    assert said.startswith(f"site 2 (G1) holds '{group}', which looks like a group of atoms; give each atom a site")


def test_the_tetrahedral_site_of_a_zeolite_is_not_tritium() -> None:
    text = cif("T1 ? 0 0 0 1\nO1 ? 0.5 0.5 0.5 1")
    assert "site 1 (T1) holds 'T1', which is not a chemical element" in reason(text)
    assert one(text.replace("T1 ?", "T1 Si").replace("O1 ?", "O1 O")).formula == "SiO"
    assert one(text.replace("T1 ?", "T1 T").replace("O1 ?", "O1 O")).formula == "H2O2"


def test_one_site_has_one_note_however_many_images() -> None:
    crystal = one(cif("A Fe 0.1 0.2 0.3 0.7\nB Ni 0.5 0.5 0.5 0.6"), disorder="majority")
    assert crystal.n_sites == 100
    assert [note.split(" is ")[0] for note in crystal.notes] == ["site 1 (A)", "site 2 (B)"]
