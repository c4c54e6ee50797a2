"""`Model`, `MEGNet` and `GraphTensors`: members, targets, shapes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from make_crystals import known_crystals, supercell
from make_models import outputs, random_model, tensors
from pydantic import ValidationError

from paraisite.graphs import build
from paraisite.model.descriptors import described
from paraisite.model.megnet import ELEMENTS, MEGNet, MEGNetConfig
from paraisite.model.model import HeadConfig, Model, ModelConfig
from paraisite.model.targets import TargetTransform
from paraisite.model.tensors import GraphTensors

CRYSTALS = [*known_crystals(), supercell(known_crystals()[0], (2, 1, 1))]
TARGETS = ("kappa", "gruneisen", "debye_temperature")


# --- members ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attach", ["readout", "vector"])
@pytest.mark.parametrize("members", [1, 2, 5])
def test_a_stacked_model_is_its_members(members: int, attach: str) -> None:
    model = random_model(members, attach=attach, targets=TARGETS)
    together = outputs(model, CRYSTALS)
    assert together.shape == (members, len(CRYSTALS), 3)
    for m in range(members):
        np.testing.assert_allclose(outputs(model.select([m]), CRYSTALS)[0], together[m], rtol=0, atol=1e-5)
    if members > 1:
        assert np.abs(together[0] - together[1]).max() > 0.05


@pytest.mark.parametrize("attach", ["readout", "vector"])
def test_gradients_of_a_stacked_model_are_those_of_its_members(attach: str) -> None:
    model = random_model(3, attach=attach, targets=TARGETS).double()
    graphs = tensors(CRYSTALS, dtype=torch.float64)
    truth = torch.randn(3, len(CRYSTALS), 3, dtype=torch.float64)
    (model(graphs) - truth).square().sum().backward()
    for m in range(3):
        single = model.select([m]).double()
        (single(graphs)[0] - truth[m]).square().sum().backward()
        for (name, stacked), own in zip(model.named_parameters(), single.parameters(), strict=True):
            if attach == "vector" and name.startswith("encoder.readout."):
                assert stacked.grad is None  # the head reads the vector before it
                continue
            torch.testing.assert_close(stacked.grad[m], own.grad[0], msg=lambda text, n=name: f"{n}: {text}")


def test_training_stacked_is_training_apart() -> None:
    """Three steps of AdamW: each member ends where it ends alone."""
    graphs = tensors(CRYSTALS, dtype=torch.float64)
    truth = torch.randn(2, len(CRYSTALS), 1, dtype=torch.float64)

    def train(model: Model, target: torch.Tensor) -> Model:
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        for _ in range(3):
            optimizer.zero_grad()
            ((model(graphs) - target) ** 2).sum().backward()
            optimizer.step()
        return model

    start = random_model(2).double()
    apart = [train(start.select([m]).double(), truth[m : m + 1]) for m in range(2)]
    together = train(start, truth)
    for m, alone in enumerate(apart):
        for a, b in zip(together.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(a[m], b[0], atol=1e-9, rtol=0)


def test_members_do_not_touch_each_other() -> None:
    model = random_model(3)
    before = outputs(model, CRYSTALS)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter[1] *= 1.05
    after = outputs(model, CRYSTALS)
    np.testing.assert_array_equal(after[[0, 2]], before[[0, 2]])
    assert np.abs(after[1] - before[1]).max() > 1e-3


def test_every_parameter_has_a_gradient_of_every_member() -> None:
    model = random_model(2)
    model(tensors(CRYSTALS)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.shape[0] == 2, name
        if name == "encoder.state_encoder.layers.0.weight":  # its input, the state, is always zero
            continue
        assert (parameter.grad.flatten(1).abs().amax(1) > 0).all(), name


# --- select ----------------------------------------------------------------------------------------------------------


def _with_transforms() -> Model:
    model = random_model(3, targets=TARGETS)
    model.transforms = {
        name: TargetTransform(kind="log10", shift=(0.1 * i, 0.2, 0.3), scale=(1.0, 1.1, 1.2 + i))
        for i, name in enumerate(TARGETS)
    }
    return model


@pytest.mark.parametrize("members", [[0], [2, 1], [1, 1, 0, 2]])
@pytest.mark.parametrize("targets", [None, ("debye_temperature",), ("gruneisen", "kappa")])
def test_select_gives_the_same_predictions(members: list[int], targets: tuple[str, ...] | None) -> None:
    model, graphs = _with_transforms(), tensors(CRYSTALS)
    picked = model.select(members, targets)
    values, vector = model.predict(graphs)
    own_values, own_vector = picked.predict(graphs)
    assert picked.config.members == len(members)
    assert tuple(own_values) == picked.config.targets == (targets or TARGETS)
    for name in own_values:
        np.testing.assert_allclose(own_values[name], values[name][members], rtol=3e-5)
    torch.testing.assert_close(own_vector, vector[members], rtol=1e-4, atol=1e-5)


def test_select_copies() -> None:
    model = random_model(2)
    before = outputs(model, CRYSTALS)
    with torch.no_grad():
        for parameter in model.select([0, 1]).parameters():
            parameter.zero_()
    np.testing.assert_array_equal(outputs(model, CRYSTALS), before)


def test_select_of_an_unknown_target() -> None:
    with pytest.raises(ValueError, match=r"not in tuple|no such target|unknown"):
        random_model(1).select([0], ("colour",))


# --- predict ---------------------------------------------------------------------------------------------------------


def test_predict_inverts_the_transform_of_each_member() -> None:
    model = _with_transforms()
    values, vector = model.predict(tensors(CRYSTALS))
    raw = outputs(model, CRYSTALS).astype(np.float64)
    assert vector.shape == (3, len(CRYSTALS), 160)
    for i, name in enumerate(TARGETS):
        shift, scale = (np.array(x)[:, None] for x in (model.transforms[name].shift, model.transforms[name].scale))
        np.testing.assert_allclose(values[name], 10 ** (raw[:, :, i] * scale + shift), rtol=1e-6)
        assert values[name].dtype == np.float64


def test_predict_switches_dropout_off() -> None:
    config = ModelConfig(head=HeadConfig(hidden=(64, 64), dropout=0.5))
    model = Model(config, {"kappa": TargetTransform()}).train()
    a, b = (model.predict(tensors(CRYSTALS))[0]["kappa"] for _ in range(2))
    np.testing.assert_array_equal(a, b)


def test_outputs_are_those_of_the_vector() -> None:
    model, graphs = random_model(2), tensors(CRYSTALS)
    with torch.inference_mode():
        torch.testing.assert_close(model.outputs(model.encoder(graphs), graphs), model(graphs))


# --- configuration ---------------------------------------------------------------------------------------------------


def test_the_head_of_the_study() -> None:
    sizes = [tuple(layer.weight.shape[1:]) for layer in Model(ModelConfig()).head.layers]
    assert sizes == [(16, 450), (450, 350), (350, 350), (350, 1)]


@pytest.mark.parametrize(("attach", "width"), [("readout", 16), ("vector", 160)])
@pytest.mark.parametrize("hidden", [(), (8,), (8, 4)])
def test_heads_by_configuration(attach: str, width: int, hidden: tuple[int, ...]) -> None:
    config = ModelConfig(members=2, head=HeadConfig(attach=attach, hidden=hidden), targets=("a", "b"))  # type: ignore[arg-type]
    model = Model(config)
    assert [layer.weight.shape[1] for layer in model.head.layers] == [width, *hidden]
    assert outputs(model, CRYSTALS).shape == (2, len(CRYSTALS), 2)


@pytest.mark.parametrize("wrong", [{"attach": "nodes"}, {"dropout": 1.0}, {"dropout": -0.1}, {"depth": 3}])
def test_wrong_heads(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        HeadConfig(**wrong)  # type: ignore[arg-type]


def test_a_model_needs_a_member() -> None:
    with pytest.raises(ValidationError, match="members"):
        ModelConfig(members=0)


def test_another_shape_of_encoder() -> None:
    config = MEGNetConfig(elements=(6, 14), embedding=4, gaussians=10, dense=(8, 6), convolution=(7, 6), blocks=2)
    crystal = next(c for c in known_crystals() if c.id == "SiSi")
    vector = MEGNet(3, config)(tensors([crystal]))
    assert vector.shape == (3, 1, config.vector_width) == (3, 1, 30)
    assert torch.isfinite(vector).all()


def test_the_elements() -> None:
    assert len(ELEMENTS) == 89
    assert set(range(1, 95)) - set(ELEMENTS) == {84, 85, 86, 87, 88}
    assert list(ELEMENTS) == sorted(ELEMENTS)


def test_config_json_round_trip() -> None:
    config = ModelConfig(members=4, head=HeadConfig(attach="vector", hidden=(3,)), targets=("kappa", "gruneisen"))
    assert ModelConfig.model_validate_json(config.model_dump_json()) == config


# --- tensors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tolerance", [None, 1e-3], ids=["plain", "merged"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shares_and_weights(tolerance: float | None, dtype: torch.dtype) -> None:
    g = tensors(CRYSTALS, tolerance=tolerance, dtype=dtype)
    ones = torch.zeros(len(g.numbers), dtype=dtype).index_add_(0, g.dst, g.incoming_share)
    torch.testing.assert_close(ones, torch.ones_like(ones))
    sites = torch.zeros(len(CRYSTALS), dtype=dtype).index_add_(0, g.node_crystal, g.node_weight)
    assert sites.tolist() == [c.n_sites for c in CRYSTALS]
    edges = torch.zeros(len(CRYSTALS), dtype=dtype).index_add_(0, g.edge_crystal, g.edge_weight)
    assert edges.tolist() == build(CRYSTALS, tolerance=None)[0].edge_counts.tolist()
    assert {t.dtype for t in (g.node_weight, g.distance, g.incoming_share, g.edge_weight)} == {dtype}
    assert g.n_crystals == len(CRYSTALS)
    assert (g.node_crystal[g.src] == g.edge_crystal).all()
    assert (g.node_crystal[g.dst] == g.edge_crystal).all()


def test_to_moves_every_tensor() -> None:
    moved = GraphTensors.from_batch(described(CRYSTALS[:1], build(CRYSTALS[:1])[0])).to("meta")
    assert isinstance(moved, GraphTensors)
    assert moved.n_crystals == 1
    kept = {name: getattr(moved, name).device.type for name in GraphTensors.__slots__ if name != "n_crystals"}
    assert set(kept.values()) == {"meta"}


# --- descriptors ------------------------------------------------------------------------------------------------------


def test_a_head_reads_descriptors_as_its_training_rows_scale_them() -> None:
    torch.manual_seed(0)
    model = Model(ModelConfig(members=2, head=HeadConfig(attach="vector", hidden=(8,), descriptors=True)))
    graphs = described(CRYSTALS, build(CRYSTALS)[0])
    training = np.ones((2, len(CRYSTALS)), dtype=bool)
    training[1, ::2] = False
    model.fit_descriptors(graphs.descriptors, training)
    for m in range(2):
        rows = graphs.descriptors[training[m]]
        np.testing.assert_allclose(model.descriptor_shift[m, 0], rows.mean(axis=0), rtol=1e-6, atol=1e-7)
    scale = model.descriptor_scale.clone()
    model.fit_descriptors(graphs.descriptors * 2, training)  # a later stage does not change what weights rest on
    torch.testing.assert_close(model.descriptor_scale, scale)

    there = GraphTensors.from_batch(graphs)
    first = model(there)
    assert bool(torch.isfinite(first).all())
    moved = replace(graphs, descriptors=graphs.descriptors + np.eye(len(CRYSTALS), graphs.descriptors.shape[1]))
    assert (model(GraphTensors.from_batch(moved)) - first).abs().max().item() > 1e-3
    torch.testing.assert_close(model.select([1])(there), first[1:])
    with pytest.raises(ValueError, match="descriptors"):
        model(tensors(CRYSTALS))


def test_a_descriptor_far_from_training_counts_as_at_the_edge() -> None:
    torch.manual_seed(0)
    model = Model(ModelConfig(head=HeadConfig(attach="vector", hidden=(8,), descriptors=True)))
    graphs = described(CRYSTALS, build(CRYSTALS)[0])
    model.fit_descriptors(graphs.descriptors, np.ones((1, len(CRYSTALS)), dtype=bool))
    spread = graphs.descriptors.std(axis=0) + 1.0
    far, further = (replace(graphs, descriptors=graphs.descriptors + k * spread) for k in (1e3, 1e6))
    a, b = (model(GraphTensors.from_batch(batch)) for batch in (far, further))
    torch.testing.assert_close(a, b)
