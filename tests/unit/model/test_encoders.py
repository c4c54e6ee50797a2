"""The registry of encoders: what a card says of one, and that nothing changed for MEGNet."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
from pydantic import ValidationError

from paraisite.model.checkpoint import Card
from paraisite.model.encoders import DEFAULT, ENCODERS, Encoder, EncoderConfig, encoder_of, register
from paraisite.model.megnet import MEGNet, MEGNetConfig
from paraisite.model.model import HeadConfig, Model, ModelConfig


class Plain(EncoderConfig):
    """Of an encoder without a readout."""

    elements: tuple[int, ...] = (6, 14)
    cutoff: float = 5.0
    width: int = 4

    @property
    def vector_width(self) -> int:
        return self.width


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Encoder:
    monkeypatch.setattr("paraisite.model.encoders.ENCODERS", dict(ENCODERS))
    return register(Encoder("plain", Plain, lambda members, config: MEGNet(members)))


def test_the_shipped_card_is_written_as_it_stands() -> None:
    text = (files("paraisite.model") / "pretrained/kappa/card.json").read_text(encoding="utf-8")
    card = Card.model_validate(json.loads(text))
    assert isinstance(card.kappa.config.encoder, MEGNetConfig)
    assert card.model_dump_json() + "\n" == text


def test_megnet_needs_no_name() -> None:
    named, unnamed = (ModelConfig.model_validate(content) for content in ({"encoder": DEFAULT}, {}))
    assert named == unnamed
    assert "kind" not in unnamed.model_dump()["encoder"]
    assert ModelConfig.model_validate(unnamed.model_dump()) == unnamed


def test_another_encoder_is_named(plain: Encoder) -> None:
    config = ModelConfig.model_validate({"encoder": {"kind": "plain", "width": 3}})
    assert isinstance(config.encoder, Plain)
    assert encoder_of(config.encoder) is plain
    assert config.model_dump(mode="json")["encoder"] == {
        "kind": "plain", "elements": [6, 14], "cutoff": 5.0, "width": 3,
    }  # fmt: skip
    assert ModelConfig.model_validate_json(config.model_dump_json()) == config


def test_a_head_cannot_read_a_readout_that_is_not_there(plain: Encoder) -> None:
    config = ModelConfig(encoder=Plain(), head=HeadConfig(attach="readout"))
    with pytest.raises(ValueError, match="attach: vector"):
        Model(config)


@pytest.mark.parametrize(
    ("encoder", "place"),
    [
        ("crystalformer", ("encoder",)),
        ({"blocks": "many"}, ("encoder", "blocks")),
        ({"hidden": 3}, ("encoder", "hidden")),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(encoder: object, place: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        ModelConfig.model_validate({"encoder": encoder})
    assert caught.value.errors()[0]["loc"] == place


def test_names_and_configurations_are_taken_once(plain: Encoder) -> None:
    for taken in (Encoder("plain", EncoderConfig, MEGNet), Encoder("other", Plain, MEGNet)):
        with pytest.raises(ValueError, match="taken"):
            register(taken)
