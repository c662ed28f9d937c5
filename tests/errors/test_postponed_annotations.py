"""Leaves of applications whose annotations are text (PEP 563)."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping, Sequence  # noqa: TC003 - read at run time
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, Literal

import pytest

from stormproof.errors import ClientError, Internal, ResourceError, from_wire, to_wire

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


class Lift(Enum):
    """What a lift is doing."""

    UP = 1
    DOWN = 2


class LiftStuck(ResourceError):
    """A lift does not move."""

    code = "LIFT_STUCK"
    template = "lift stuck going {going} at {floors}"
    limit: ClassVar[int] = 3

    going: Lift
    floors: Sequence[int]
    load: Mapping[str, float] = {"people": 0.0}
    door: Literal["open", "shut"] = "shut"
    riders: list[str] | None = None
    motor: Internal[str | None] = None


def stuck() -> LiftStuck:
    return LiftStuck(
        going=Lift.UP, floors=[3, 4], load={"people": 2}, riders=["a"], motor="burnt", retry_after=5
    )


def test_text_annotations_are_read() -> None:
    """The postponed form declares the same fields as the plain one."""
    assert list(LiftStuck.fields())[-6:] == ["going", "floors", "load", "door", "riders", "motor"]
    assert LiftStuck.fields()["motor"].internal
    assert str(stuck()) == "lift stuck going UP at 3, 4 (motor='burnt')"


def test_it_travels_with_every_field() -> None:
    """Enums, mappings, literals and lists of an application's own leaf come back as they were."""
    error = stuck()

    for back in (
        from_wire(json.loads(json.dumps(to_wire(error, internal=True)))),
        pickle.loads(pickle.dumps(error)),  # noqa: S301
    ):
        assert type(back) is LiftStuck
        assert back.field_values(internal=True) == error.field_values(internal=True)
        assert back.going is Lift.UP
        assert back.retry_after == 5


def test_clients_see_its_public_fields_only() -> None:
    assert to_wire(stuck())["error"]["details"] == {
        "going": "UP",
        "floors": [3, 4],
        "load": {"people": 2},
        "door": "shut",
        "riders": ["a"],
    }


def test_a_type_that_only_the_type_checker_sees_is_named() -> None:
    """What is read from the wire is held against types, so they must be there at run time."""
    with pytest.raises(TypeError, match="Broken: AbstractSet must be imported at run time"):

        class Broken(ClientError):
            """A class whose field has a type that does not exist in the running program."""

            code = "BROKEN"
            names: AbstractSet[str]
