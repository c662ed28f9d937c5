"""Secrets to plant in requests, as people and programs write them."""

from collections.abc import Iterator
from typing import NamedTuple

from support.labelled_texts import MAKERS, Chance
from support.labelled_texts.scores import VALIDATED

_SHORTEST = 11


class Secret(NamedTuple):
    """Something that nobody may find afterwards.

    Attributes:
        name: What it is told as.
        text: How it is said.
        value: The part of that which is secret.
    """

    name: str
    text: str
    value: str


def secrets(count: int, seed: int) -> list[Secret]:
    """Return as many, of all kinds that have a form of their own, no two of them the same."""
    drawn: dict[str, Secret] = {}
    for secret in _drawn(Chance(seed)):
        drawn.setdefault(secret.value, secret)
        if len(drawn) == count:
            break
    return list(drawn.values())


def _drawn(chance: Chance) -> Iterator[Secret]:
    kinds, number = sorted(VALIDATED), 0
    while True:
        kind = kinds[number % len(kinds)]
        item = chance.choice(MAKERS[kind])(chance)
        value = item.secret or item.text
        if len(value) >= _SHORTEST:
            yield Secret(f"{number} {kind}", f"My {item.name} is {item.text} ok", value)
        number += 1
