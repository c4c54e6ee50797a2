"""The study as published: which trainings a switch concerns, its two scalers, its network, loss and schedule."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("lightning", reason="training needs the extra [train]")

import torch
from torch import nn

from paraisite.datasets import paper_split
from paraisite.model.model import HeadConfig, Model, ModelConfig
from paraisite.study.as_published.labels import SMALLEST, Labels
from paraisite.study.as_published.module import PublishedModule, as_the_study
from paraisite.study.as_published.table import PUBLISHED, as_markdown, summary
from paraisite.study.as_published.variants import Variant, variants
from paraisite.training.recipe import Stage

KAPPA = np.concatenate([np.geomspace(0.4, 300.0, 30), np.geomspace(5.0, 40.0, 20)])
SIZES = (30, 20)
TRAINING = np.zeros((2, 50), dtype=bool)
for _run in (1, 2):
    TRAINING[_run - 1, paper_split(SIZES, _run).train] = True
AGL = np.array([[0.6], [0.7]]), np.array([[0.35], [0.4]])


def test_a_switch_makes_a_variant_only_where_it_changes_something() -> None:
    names = [v.name for v in variants(without=("foreign_scaler",))]
    assert names[:4] == ["I-l96", "I-hh143", "I-mix-without_foreign_scaler", "I-aflow_agl"]
    assert "II-l96" in names
    assert "III-l96-without_foreign_scaler" in names
    assert "III-aflow_agl" not in names
    assert [v.name for v in variants(("I",), ("l96",), ("skip_pretrained",))] == ["I-l96"]
    assert len(variants()) == len(PUBLISHED)


def test_step_three_goes_on_from_agl_with_the_same_encoder() -> None:
    found = variants(("III",), ("l96",), ("scaler_sees_fold", "skip_pretrained"))
    assert [v.name for v in found] == [
        "II-aflow_agl-without_skip_pretrained",
        "III-l96-without_skip_pretrained-without_scaler_sees_fold",
    ]
    assert found[0].starts
    assert not found[1].starts


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": ("III-kernel",)}, "step 'III-kernel'"),
        ({"trained_on": ("x",)}, "dataset 'x'"),
        ({"without": ("scalers",)}, "switch 'scalers'.*foreign_scaler"),
    ],
)
def test_what_the_study_does_not_have(wrong: dict[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        variants(**wrong)


def test_one_scaler_of_one_dataset_scores_kappa() -> None:
    labels = Labels.fit(KAPPA[:30], (30,), TRAINING[:, :30], Variant("II", "l96"))
    assert labels.values.mean(axis=1) == pytest.approx([0, 0])
    assert labels.values.std(axis=1) == pytest.approx([1, 1])
    assert labels.scored(labels.values[0], 0) == pytest.approx(KAPPA[:30])
    rows = np.arange(4)
    wrong = np.log10(1 + KAPPA[:4] * [2.0, 1.0, 1.0, 0.5])
    predicted = (wrong - labels.back[0][1]) / labels.back[1][1]
    assert labels.score(predicted, 1, rows) == pytest.approx((1 + 0.5) / 4)


@pytest.mark.parametrize("variant", [Variant("II", "mix"), Variant("III", "mix")])
def test_a_foreign_scaler_scores_a_power_of_kappa(variant: Variant) -> None:
    labels = Labels.fit(KAPPA, SIZES, TRAINING, variant, AGL if variant.step == "III" else None)
    log = np.log10(KAPPA + 1)
    for part in (slice(0, 30), slice(30, 50)):
        mean, std = log[part].mean(), log[part].std()
        back_mean, back_std = (AGL[0][1, 0], AGL[1][1, 0]) if variant.step == "III" else (log.mean(), log.std())
        power = back_std / std
        expected = (KAPPA[part] + 1) ** power * 10 ** (back_mean - mean * power) - 1
        assert labels.scored(labels.values[1, part], 1) == pytest.approx(expected)
    assert labels.kappa(labels.values[0], 0, np.arange(50)) == pytest.approx(KAPPA)


@pytest.mark.parametrize("step", ["II", "III"])
def test_without_the_foreign_scaler_kappa_is_scored(step: str) -> None:
    variant = Variant(step, "mix", ("foreign_scaler",))
    labels = Labels.fit(KAPPA, SIZES, TRAINING, variant, AGL if step == "III" else None)
    assert labels.scored(labels.values[1], 1) == pytest.approx(KAPPA)


def test_the_scaler_may_know_the_training_rows_alone() -> None:
    labels = Labels.fit(KAPPA, SIZES, TRAINING, Variant("II", "mix", ("foreign_scaler", "scaler_sees_fold")))
    for values, rows in zip(labels.values, TRAINING, strict=True):
        assert values[rows].mean() == pytest.approx(0, abs=1e-12)
        assert values[rows].std() == pytest.approx(1)
        assert abs(values.mean()) > 1e-3


def test_the_networks_activations_are_the_studys() -> None:
    torch.manual_seed(0)
    model = as_the_study(Model(ModelConfig(members=2, head=HeadConfig(hidden=(9, 7)))))
    vector = torch.randn(2, 5, model.config.encoder.vector_width)

    def layers(modules: nn.ModuleList, member: int, between: nn.Module) -> nn.Sequential:
        made: list[nn.Module] = []
        for layer in modules:
            linear = nn.Linear(layer.weight.shape[1], layer.weight.shape[2])
            linear.weight.data, linear.bias.data = layer.weight.data[member].T, layer.bias.data[member, 0]
            made += [linear, between]
        return nn.Sequential(*made[:-1])

    class Softplus2(nn.Softplus):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) - np.log(2)

    found = model.outputs(vector, None)  # type: ignore[arg-type]  # no descriptors
    for member in range(2):
        feature = layers(model.encoder.readout.layers, member, Softplus2())(vector[member])
        expected = layers(model.head.layers, member, nn.ReLU())(feature)
        torch.testing.assert_close(found[member], expected)


def module(pace: float = 2.0) -> PublishedModule:
    model = as_the_study(Model(ModelConfig(members=2, head=HeadConfig(hidden=(4,)))))
    return PublishedModule(model, Stage(name="x", dataset="l96", loss="ape"), 1, 1, AGL, pace)


def test_the_loss_is_the_percentage_error_however_far_off() -> None:
    target = torch.tensor([[0.5, -1.0], [0.0, 1.0]])[:, :, None]
    output = target + torch.tensor([[0.1, -0.3], [6.0, 0.0]])[:, :, None]
    found = module()._percentage_error(output, target)[:, :, 0].numpy()
    true, predicted = (10 ** (x[:, :, 0].double().numpy() * AGL[1] + AGL[0]) - 1 for x in (target, output))
    assert found == pytest.approx(np.abs(predicted / true - 1), rel=1e-4)
    assert found[1, 0] > 100  # a factor of 250: not linear there
    where_true_is_nothing = torch.tensor([[-0.6 / 0.35], [-0.7 / 0.4]])[:, :, None]
    assert torch.isfinite(module()._percentage_error(where_true_is_nothing + 1, where_true_is_nothing)).all()
    assert SMALLEST > 0


def test_the_schedule_is_a_cosine_stepped_twice_an_epoch() -> None:
    optimizer = torch.optim.Adam([nn.Parameter(torch.zeros(1))], lr=1e-3)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=1000, eta_min=1e-5)
    twice = module()
    for epoch in range(300):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-3 * twice.rate(epoch), rel=1e-6)
        optimizer.step()
        cosine.step()
        cosine.step()
    assert module(pace=15.0).rate(40) == pytest.approx(twice.rate(300))


def result(step: str, run: int, score: float, without: tuple[str, ...] = ()) -> dict[str, object]:
    found = {"epoch": 7, "score": score, "kappa": {"mape": 2 * score}}
    return {
        "variant": {"step": step, "without": list(without)}, "trained_on": "l96", "run": run, "score": score,
        "best": found, "last": found, "recipe": {"stages": [{"epochs": 300, "batch": 10}]},
    }  # fmt: skip


def test_the_table_stands_beside_the_published_figures() -> None:
    results = [result("III", 2, 0.4), result("III", 1, 0.2), result("II", 1, 0.5, ("schedule_twice",))]
    rows = summary(results)
    assert [(row["step"], row["runs"], row["score"]) for row in rows] == [
        ("II", [1], [0.5]),
        ("III", [1, 2], [0.2, 0.4]),
    ]
    table = as_markdown(rows).splitlines()
    assert table[2].startswith("| II | `l96` | `schedule_twice` | 1 | 0.510 (0.236) | 0.500 | 1.000 |")
    assert table[3].startswith("| III | `l96` | – | 2 | 0.288 (0.127) | 0.300 (0.141) | 0.600 (0.283)")
