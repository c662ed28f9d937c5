"""Finding the entry for a class, once for each class."""

import gc
from weakref import ref

import pytest

from stormproof.errors import (
    ConnectionLost,
    DiskFull,
    InternalError,
    NetworkError,
    is_bug,
    translate,
)
from stormproof.errors.translate.lookup import bug, maker_for


class Everyone(type):
    """The metaclass of classes that claim to be equal to any other."""

    def __eq__(cls, other: object) -> bool:
        return True

    def __hash__(cls) -> int:
        return 7


class Unhashable(type):
    """The metaclass of classes that no dictionary takes."""

    __hash__ = None  # type: ignore[assignment]


def test_what_was_found_for_one_class_is_not_told_of_another() -> None:
    """Whatever their metaclass says of their equality."""
    lost = Everyone("Lost", (ConnectionResetError,), {})
    odd = Everyone("Odd", (ValueError,), {})
    for _ in range(2):
        assert type(translate(lost())) is ConnectionLost
        assert type(translate(odd())) is InternalError


def test_a_class_that_cannot_be_hashed_is_looked_up_all_the_same() -> None:
    cls = Unhashable("Lost", (ConnectionResetError,), {})
    for _ in range(2):
        assert type(translate(cls())) is ConnectionLost


def test_what_was_found_is_forgotten_with_its_class() -> None:
    """Also where a later class happens to have the same place in memory."""

    def pass_by(base: type[Exception], expected: type[Exception]) -> None:
        cls = type("Passing", (base,), {})
        assert type(translate(cls())) is expected

    gc.collect()
    for _ in range(5):
        pass_by(ConnectionResetError, ConnectionLost)
        gc.collect()
        pass_by(ValueError, InternalError)
        gc.collect()


def test_no_class_is_kept_alive() -> None:
    cls = type("Passing", (ValueError,), {})
    watched = ref(cls)
    maker_for(cls)
    del cls
    gc.collect()
    assert watched() is None


@pytest.mark.parametrize("unknown", [ValueError, KeyError, type("Mine", (Exception,), {})])
def test_what_no_table_knows_is_a_bug(unknown: type[Exception]) -> None:
    assert is_bug(unknown())
    assert type(translate(unknown())) is InternalError
    assert maker_for(unknown) is bug


@pytest.mark.parametrize(
    "known",
    [
        DiskFull(),
        InternalError(),
        NetworkError(reason="cut"),
        ConnectionResetError(),
        ExceptionGroup("", [ValueError()]),
        StopIteration(),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
def test_what_is_ours_or_known_or_no_error_is_not(known: BaseException) -> None:
    assert not is_bug(known)


def test_a_class_that_refuses_to_say_what_it_is_is_a_bug() -> None:
    class Refusing(type):
        @property
        def __mro__(cls) -> tuple[type, ...]:
            raise RuntimeError

    cls = Refusing("Hidden", (ConnectionResetError,), {})
    assert is_bug(cls())
    assert type(translate(cls())) is InternalError
