"""The known encoders. A new one is one entry here."""

from __future__ import annotations

from paraisite.model.encoders import DEFAULT, Encoder, register
from paraisite.model.fast import FastEncoder
from paraisite.model.megnet import MEGNet, MEGNetConfig

register(Encoder(DEFAULT, MEGNetConfig, MEGNet, FastEncoder))
