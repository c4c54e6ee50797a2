"""Weights in matgl's layout: what they compute, and that nothing in them is overlooked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from make_crystals import cubic, known_crystals, supercell, wurtzite
from make_models import SHAPES, merged_outputs, random_state, reference_energy, tensors, write_state

from paraisite.crystals.crystal import Crystal
from paraisite.model.convert import ENERGY_MEAN, ENERGY_STD, FORMATION_ENERGY, from_matgl

OTHERS = [supercell(cubic("half_heusler", "Zr Ni Sn", 6.1), (2, 1, 1)), wurtzite("Al", "N", 3.11, 4.98, 0.382)]


@pytest.mark.parametrize("crystal", [*known_crystals(), *OTHERS], ids=lambda c: c.id)
def test_the_network_is_megnet(crystal: Crystal, tmp_path: Path) -> None:
    """Against MEGNet written a second time from torch.nn.LSTM and torch's linear, one site after the other."""
    state = random_state()
    model = from_matgl(write_state(state, tmp_path)).double()
    expected = reference_energy(state, crystal)
    energy = model.predict(tensors([crystal], dtype=torch.float64))[0][FORMATION_ENERGY].item()
    assert energy == pytest.approx(expected, abs=1e-7)
    merged = merged_outputs(model, [crystal]).item() * ENERGY_STD + ENERGY_MEAN
    assert merged == pytest.approx(expected, abs=1e-7)


def test_the_reference_depends_on_the_crystal() -> None:
    energies = [reference_energy(random_state(), c) for c in known_crystals()]
    assert np.std(energies) > 0.05


def test_folder_and_file_and_prefix_are_alike(tmp_path: Path) -> None:
    state = random_state()
    models = [from_matgl(write_state(state, tmp_path)), from_matgl(tmp_path)]
    models.append(from_matgl(write_state({k.removeprefix("model."): v for k, v in state.items()}, tmp_path)))
    for model in models[1:]:
        for a, b in zip(model.parameters(), models[0].parameters(), strict=True):
            assert torch.equal(a, b)


@pytest.mark.slow
def test_every_tensor_counts(tmp_path: Path) -> None:
    """Each tensor of the file, changed alone, changes the prediction, or no prediction can depend on it."""
    graphs = tensors([OTHERS[0]], dtype=torch.float64)
    state = random_state()
    base = from_matgl(write_state(state, tmp_path)).double().predict(graphs)[0][FORMATION_ENERGY].item()
    for name in SHAPES:
        if name.endswith("centers") or name == "state_encoder.layers.0.weight":  # checked below; the state is zero
            continue
        changed = {**state, "model." + name: state["model." + name] * 1.5}
        energy = from_matgl(write_state(changed, tmp_path)).double().predict(graphs)[0][FORMATION_ENERGY].item()
        assert abs(energy - base) > 1e-9, name


# --- strictness ------------------------------------------------------------------------------------------------------


def load_changed(tmp_path: Path, *, drop: str = "", **add: torch.Tensor) -> None:
    state = random_state()
    if drop:
        del state[drop]
    from_matgl(write_state(state | add, tmp_path))


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("model.embedding.layer_node_embedding.weight", r"encoder\.embedding"),
        ("model.blocks.1.conv.edge_func.layers.4.bias", r"encoder\.blocks\.1\.edge_update\.layers\.2\.bias"),
        ("model.blocks.2.state_func.layers.0.weight", r"encoder\.blocks\.2\.dense\.state\.layers\.0\.weight"),
        ("model.node_s2s.lstm.bias_hh_l0", r"encoder\.node_pool\.bias"),
        ("model.edge_s2s.lstm.weight_ih_l0", r"encoder\.edge_pool\.weight_input"),
        ("model.output_proj.layers.4.weight", r"head\.layers\.0\.weight"),
        ("model.output_proj.layers.2.bias", r"encoder\.readout\.layers\.1\.bias"),
        ("model.bond_expansion.rbf.centers", "centres"),
    ],
)
def test_a_missing_tensor_is_named(name: str, named: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"state\.pt: .*{named}"):
        load_changed(tmp_path, drop=name)


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_no_tensor_may_be_missing(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"state\.pt"):
        load_changed(tmp_path, drop="model." + name)


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("model.blocks.3.conv.edge_func.layers.0.weight", r"blocks\.3"),
        ("model.blocks.0.edge_func.layers.0.weight", r"blocks\.0\.dense\.edge|blocks\.0\.edge_func"),
        ("model.node_encoder.layers.4.bias", r"node_encoder\.layers\.(2|4)\.bias"),
        ("model.node_encoder.layers.1.weight", r"node_encoder\.layers\.1\.weight"),
        ("model.output_proj.layers.6.bias", r"(readout|output_proj)\.layers\.(3|6)\.bias"),
        ("model.node_s2s.lstm.weight_ih_l1", r"weight_ih_l1"),
        ("model.node_s2s.lstm.bias_ih_l1", r"node_(pool|s2s).*bias"),
        ("model.embedding.layer_state_embedding.weight", "layer_state_embedding"),
        ("scale", "scale"),
        ("model.extra.weight", "extra"),
        ("embedding.layer_node_embedding.weight", "embedding"),
    ],
)
def test_a_left_over_tensor_is_named(name: str, named: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"state\.pt: .*({named})"):
        load_changed(tmp_path, **{name: torch.zeros(32, 32)})


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("model.node_encoder.layers.1.weight", (64, 16)),
        ("embedding.layer_node_embedding.weight", (89, 16)),
        ("model.embedding.layer_node_embedding.bias", (89, 16)),
    ],
)
def test_a_left_over_tensor_never_takes_the_place_of_another(name: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=name.removeprefix("model.").replace(".", r"\.")):
        load_changed(tmp_path, **{name: torch.zeros(shape)})


@pytest.mark.parametrize(
    ("name", "shape", "named"),
    [
        ("model.node_encoder.layers.0.weight", (64, 17), r"encoder\.node_encoder\.layers\.0\.weight"),
        ("model.blocks.2.conv.node_func.layers.2.bias", (63,), r"encoder\.blocks\.2\.node_update\.layers\.1\.bias"),
        ("model.embedding.layer_node_embedding.weight", (95, 16), r"encoder\.embedding"),
        ("model.output_proj.layers.4.weight", (2, 16), r"head\.layers\.0\.weight"),
        ("model.edge_s2s.lstm.weight_hh_l0", (128, 64), r"encoder\.edge_pool\.weight_hidden"),
        ("model.edge_s2s.lstm.bias_hh_l0", (1,), r"edge_(pool|s2s).*bias"),
    ],
)
def test_a_tensor_of_another_shape_is_named(name: str, shape: tuple[int, ...], named: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"state\.pt: .*{named}"):
        load_changed(tmp_path, **{name: torch.zeros(shape)})


@pytest.mark.parametrize(
    "centres", [torch.linspace(0, 6, 100), torch.linspace(0, 5, 99), torch.linspace(0, 5, 100) + 1e-4, torch.zeros(0)]
)
def test_other_centres_are_refused(centres: torch.Tensor, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"state\.pt: the centres of the Gaussian expansion"):
        load_changed(tmp_path, **{"model.bond_expansion.rbf.centers": centres})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "state.pt", tmp_path / "nothing"):
        with pytest.raises(FileNotFoundError, match=r"no such file; expected state\.pt"):
            from_matgl(path)


@pytest.mark.parametrize("content", [b"", b"not a torch file", b"PK\x03\x04 half a zip"])
def test_a_damaged_file_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "state.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"state\.pt"):
        from_matgl(tmp_path)


class _Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path(self.path),)  # type: ignore[attr-defined,return-value]


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    hostile = _Hostile()
    hostile.path = str(tmp_path / "touched")  # type: ignore[attr-defined]
    torch.save({"model.x": hostile}, tmp_path / "state.pt")
    with pytest.raises(Exception, match=r"state\.pt|weights_only|Weights only"):
        from_matgl(tmp_path)
    assert not (tmp_path / "touched").exists()
