"""CIF: stated facts against the result, lines that are no whole atoms, and what lies outside the model's world."""

from __future__ import annotations

import pytest
from bad_inputs import cif
from test_cif import WURTZITE, crystal_cif, cube, hm, one, reason

from paraisite.crystals import Crystal, Rejection
from paraisite.crystals.cif import read_cif
from paraisite.crystals.elements import NUMBERS, label_number, mixture
from paraisite.crystals.isotopes import MASSES, heavy_hydrogen

ZNO = f"{hm('P 63 m c')}\n"
HEAD = (
    "data_x\n_cell_length_a 4.2\n_cell_length_b 4.2\n_cell_length_c 4.2\n_cell_angle_alpha 90\n_cell_angle_beta 90\n"
    "_cell_angle_gamma 90\n_symmetry_space_group_name_H-M 'P 1'\n"
)
SITES = "loop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n"


def zno(facts: str) -> tuple[str, ...]:
    return one(crystal_cif(WURTZITE[0], ZNO + facts, WURTZITE[1])).notes


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ("_cell_volume 95.2", "states a cell volume of 95.2 Å³, but its cell has 47.62"),
        ("_exptl_crystal_density_diffrn 2.84", "states a density of 2.84 g/cm³, but its sites give 5.68"),
        (
            "_chemical_formula_sum 'O Zn'\n_cell_formula_units_Z 4",
            "states Z = 4 for O Zn, but its sites Z = 2",
        ),
        ("_chemical_formula_sum 'H O Zn'", "states ZnHO, but its sites give ZnO"),
        ("_cell_length_a 3.99", r"_cell_length_a is given twice with different values (3.2498 and 3.99)"),
        ("_cell.length_a 3.99", r"_cell_length_a is given twice with different values (3.2498 and 3.99)"),
    ],
)
def test_a_stated_fact_that_is_off_is_noted_with_both_numbers(facts: str, says: str) -> None:
    (note,) = zno(facts)
    assert says in note


@pytest.mark.parametrize(
    "facts",
    [
        "_cell_volume 47.62(3)",
        "_cell_volume 48",
        "_cell_volume ?",
        "_exptl_crystal_density_diffrn 5.68",
        "_exptl_crystal_density_diffrn 5.7",
        "_exptl_crystal_density_meas 2.84",
        "_chemical_formula_sum 'O Zn'\n_cell_formula_units_Z 2",
        "_chemical_formula_sum 'O2 Zn2'\n_cell_formula_units_Z 2",  # of the cell
        "_chemical_formula_sum 'O2 Zn2'\n_cell_formula_units_Z 1",
        "_chemical_formula_sum 'O Zn'\n_cell_formula_units_Z ?",
        "_cell_length_a 3.25",
        "_cell_length_a ?",
        "_cell_measurement_temperature 100\n_cell_measurement_temperature 293",
    ],
)
def test_rounding_and_usual_ways_are_no_contradiction(facts: str) -> None:
    assert zno(facts) == ()


def test_two_loops_of_sites_are_one() -> None:
    more = (
        "loop_\n_atom_site_type_symbol\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n"
    )
    both = one(HEAD + SITES + "Mg1 0 0 0\n" + more + "O O1 0.5 0.5 0.5\n")
    assert both.formula == "MgO"
    assert "2 loops of atom sites were read as one" in both.notes[0]
    assert not one(HEAD + SITES + "Mg1 0 0 0\nO1 .5 .5 .5\n" + SITES + "Mg1 0 0 0\nO1 .5 .5 .5\n").notes


def test_loops_with_too_many_sites_are_rejected_and_the_next_block_is_read() -> None:
    rows = "".join(f"C{i} {i / 3000} 0 0\n" for i in range(3000))
    crowded, good = read_cif(HEAD + (SITES + rows) * 2 + HEAD + SITES + "Mg1 0 0 0\n", id="x", source="x.cif")
    assert isinstance(crowded, Rejection)
    assert "more than 5000 sites" in crowded.reason
    assert isinstance(good, Crystal)


def test_columns_of_two_lengths_are_rejected() -> None:
    said = reason(HEAD + SITES + "Mg1 0 0 0\nO1 .5 .5 .5\nloop_\n_atom_site_occupancy\n0.5\n")
    assert "_atom_site_occupancy has 1 value for 2 sites" in said


def extra(column: str, *values: str) -> str:
    rows = ("Mg1 Mg 0 0 0", "O1 O 0.5 0.5 0.5", "C1 C 0.5 0.5 0")
    tags = SITES.replace("_atom_site_label\n", "_atom_site_label\n_atom_site_type_symbol\n")
    return HEAD + tags + column + "\n" + "".join(f"{row} {v}\n" for row, v in zip(rows, values, strict=True))


def test_a_site_flagged_as_dummy_is_left_out() -> None:
    crystal = one(extra("_atom_site_calc_flag", "d", "d", "dum"))
    assert crystal.formula == "MgO"
    assert crystal.notes == ("site 3 (C1) is flagged as a dummy and was left out",)
    assert one(extra("_atom_site_calc_flag", "d", ".", "calc")).n_sites == 3


def test_alternatives_need_occupancies() -> None:
    column = "_atom_site_disorder_group"
    assert "site 3 (C1) is an alternative position (disorder group 2)" in reason(extra(column, ".", "1", "2"))
    assert "disorder group -1" in reason(extra(column, ".", ".", "-1"))
    assert not one(extra(column, ".", "1", "1")).notes
    assert not one(extra(column, "?", "0", ".")).notes


def test_attached_hydrogens_need_sites() -> None:
    column = "_atom_site_attached_hydrogens"
    assert "site 2 (O1) stands for an atom with attached hydrogen (2)" in reason(extra(column, "0", "2", "."))
    assert not one(extra(column, "0", "0", ".")).notes


@pytest.mark.parametrize("label", ["O-H", "Wat", "Wat1", "H2O", "N-H3", "CH3", "OH1"])
def test_a_label_of_a_group_is_no_atom(label: str) -> None:
    said = reason(HEAD + SITES + f"Mg1 0 0 0\n{label} 0.5 0.5 0.5\n")
    assert f"site 2 ({label}) holds '{label}'" in said
    assert "remove" not in said


def test_water_without_hydrogen_is_noted() -> None:
    for label in ("OW1", "Ow", "W1", "OH"):
        rows = f"Mg1 Mg 0 0 0\n{label} O 0.5 0.5 0.5"
        text = cif("\n".join(f"{row} 1" for row in rows.splitlines()))
        assert f"the label {label} stands for water or hydroxyl" in one(text).notes[0]
    assert not one(cif("W1 W 0 0 0 1\nOW1 O 0.5 0.5 0.5 1")).notes


@pytest.mark.parametrize(
    ("label", "formula", "symbol"),
    [
        ("Ala", "Al O", "Al"),
        ("Pbl", "O Pb", "Pb"),
        ("Ob1", "Al O", "O"),
        ("Hw", "H2 O", "H"),
        ("Ow", "H2 O", "O"),
        ("CA1", "C H", "C"),
        ("CA1", "Ca O", "Ca"),
        ("HO1", "H O", "H"),
    ],
)
def test_the_formula_settles_what_a_label_means(label: str, formula: str, symbol: str) -> None:
    elements = frozenset(NUMBERS[part.rstrip("0123456789")] for part in formula.split())
    assert label_number(label, elements) == NUMBERS[symbol]
    crystal = one(HEAD + f"_chemical_formula_sum '{formula}'\n" + SITES + f"{label} 0 0 0\n")
    assert crystal.symbols == [symbol]


def test_without_a_formula_an_unknown_label_asks_for_the_element() -> None:
    said = reason(HEAD + SITES + "Ala 0 0 0\n")
    assert said == "site 1 (Ala) holds 'Ala', which is not a chemical element; give its element"


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("0.8Nb + 0.2Zr", {41: 0.8, 40: 0.2}),
        ("Nb0.8Zr0.2", {41: 0.8, 40: 0.2}),
        ("0.8Nb+0.2Zr", {41: 0.8, 40: 0.2}),
        ("Fe:0.5, Ni:0.5", {26: 0.5, 28: 0.5}),
        ("0.9Na", {11: 0.9}),
        ("Na", {}),
        ("OH", {}),
        ("H2O", {}),
        ("Qq0.5Zr0.5", {}),
        ("", {}),
    ],
)
def test_mixtures(text: str, shares: dict[int, float]) -> None:
    assert mixture(text) == shares


def test_a_mixture_is_disorder() -> None:
    text = cif("M1 '0.8Nb + 0.2Zr' 0 0 0 1")
    assert "site 1 (M1) is disordered: Nb0.8Zr0.2" in reason(text)
    assert one(text, disorder="majority").formula == "Nb"
    assert "site 1 (M1) is shared by Nb and Zr" in reason(text.replace("0.8Nb + 0.2Zr", "Nb/Zr"))


def test_deuterium_is_noted() -> None:
    for symbol in ("D", "T", "2H", "D1+"):
        crystal = one(cif(f"Li1 7Li 0 0 0 1\nD1 {symbol} 0.5 0.5 0.5 1"))
        assert crystal.notes[0].startswith("site 2 (D1) is deuterium or tritium")
        assert crystal.hydrogen_mass == MASSES["T" if symbol == "T" else "D"]
    plain = one(cif("Li1 7Li 0 0 0 1\nH1 H 0.5 0.5 0.5 1"))
    assert not plain.notes
    assert plain.hydrogen_mass is None
    mixed = one(cif("Li1 Li 0 0 0 1\nD1 D 0.5 0.5 0.5 1\nH1 H 0.5 0 0 1"))
    assert mixed.notes
    assert mixed.hydrogen_mass is None


@pytest.mark.parametrize(
    ("symbol", "isotope"),
    [("D", "D"), ("D1", "D"), ("2H", "D"), ("T", "T"), ("3H", "T"), ("H", ""), ("H2", ""), ("H12A", "")],
)
def test_isotopes_of_hydrogen(symbol: str, isotope: str) -> None:
    assert heavy_hydrogen([("site 1", symbol)])[1] == MASSES.get(isotope)


@pytest.mark.parametrize(
    "tag",
    [
        "_cell_modulation_dimension 1",
        "_cell.modulation_dimension 1",
        "_cell_wave_vector_x 0.31",
        "_cell_wave_vector.x 0.31",
        "_space_group_ssg_name 'Pnma(0b0)00s'",
        "_space_group.ssg_name 'Pnma(0b0)00s'",
        "_space_group_symop_ssg_operation_algebraic 'x1,x2,x3,x4'",
        "_space_group_symop_ssg_operation.algebraic 'x1,x2,x3,x4'",
        "_atom_site_displace_Fourier_axis x",
        "_atom_site_occ_Fourier_id 1",
        "_atom_site_Fourier_wave_vector_x 0.31",
        "_cell_subsystem_code 1",
    ],
)
def test_modulated_structures_are_rejected(tag: str) -> None:
    assert "the structure is modulated" in reason(cif(group=f"{hm('F m -3 m')}\n{tag}"))


@pytest.mark.parametrize(
    "tag",
    [
        "_space_group_magn.number_BNS 62.441",
        "_space_group_magn_number_BNS 62.441",
        "_space_group.magn_number_BNS 62.441",
        '_space_group_magn_name_BNS "P n m a"',
        "loop_\n_space_group_symop_magn_operation.xyz\n'x,y,z,+1'",
        "loop_\n_space_group_symop_magn_operation_xyz\n'x,y,z,+1'",
        "loop_\n_space_group_symop.magn_operation_xyz\n'x,y,z,+1'",
        "loop_\n_space_group_symop_magn_centering.xyz\n'x,y,z,+1'",
        "_magnetic_space_group_standard_setting yes",
        "_parent_propagation_vector.kxkykz '[0 0 1/2]'",
    ],
)
def test_magnetic_symmetry_is_rejected(tag: str) -> None:
    assert "magnetic symmetry is not supported" in reason(cif(group=f"{hm('F m -3 m')}\n{tag}"))


@pytest.mark.parametrize("tag", ["_atom_site_moment.label", "_atom_site_moment_label", "_atom_site_magnetic_moment_x"])
def test_magnetic_moments_are_left_out_with_a_note(tag: str) -> None:
    assert "magnetic moments were ignored" in one(cif() + f"loop_\n{tag}\nNa1\n").notes[0]


@pytest.mark.parametrize(
    "fact", ["_cell_modulation_dimension 0", "_cell_modulation_dimension ?", "_space_group_magn.number_BNS ?"]
)
def test_nothing_said_of_modulation_or_magnetism(fact: str) -> None:
    assert not one(cif(group=f"{hm('F m -3 m')}\n{fact}")).notes


def test_the_dotted_tags_of_ddlm_are_read() -> None:
    text = "#\\#CIF_2.0\n" + crystal_cif(cube(5.64), "_space_group.name_H-M_alt 'F m -3 m'", "Na 0 0 0\nCl 0.5 0.5 0.5")
    for category in ("_cell", "_atom_site"):
        text = text.replace(f"{category}_", f"{category}.")
    crystal = one(text)
    assert (crystal.n_sites, crystal.notes) == (8, ())


def test_cartesian_coordinates_are_named_with_the_remedy() -> None:
    macro = "loop_\n_atom_site.group_PDB\n_atom_site.type_symbol\n_atom_site.Cartn_x\nATOM C 1.5\n"
    assert "this is an mmCIF" in reason(HEAD.replace("_cell_", "_cell.") + macro)
    plain = reason(HEAD + "loop_\n_atom_site_label\n_atom_site_Cartn_x\nC1 1.5\n")
    assert "Cartesian (_atom_site_Cartn_x); export a CIF with _atom_site_fract_x" in plain


def test_a_list_of_cif_2_is_named_with_the_remedy() -> None:
    assert "export it as CIF 1.1" in reason("#\\#CIF_2.0\n" + cif(group="_x [1 2]"))
