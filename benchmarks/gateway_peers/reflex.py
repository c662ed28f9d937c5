"""Ours with every stage that needs no embedding model in front of it."""

from collections.abc import Sequence
from typing import Final

from gateway_peers.gateway import Gateway, Model
from gateway_peers.stormproof import command

STAGES: Final = """
[reflex.validate]
control_characters = false
[reflex.limits.address]
requests_per_minute = 1_000_000
tokens_per_minute = 1_000_000_000
concurrency = 1_000
[reflex.limits.all]
money_per_month = 1_000_000.0
[reflex.budget]
unpriced = "free"
[reflex.cache]
[reflex.pii]
[reflex.injection]
"""
"""Limits that are never reached, and counted all the same; of prices nobody knows any."""


def gateway() -> Gateway:
    return Gateway("stormproof, every stage", _command)


def _command(port: int, models: Sequence[Model]) -> list[str]:
    return command(port, models, "reflex", STAGES)
