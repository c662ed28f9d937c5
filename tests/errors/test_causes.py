"""Walking and rebuilding the chain of causes."""

from itertools import pairwise

from stormproof.errors.causes import LONGEST_CHAIN, causes, link


def chained(length: int) -> list[BaseException]:
    errors: list[BaseException] = [ValueError(number) for number in range(length)]
    for error, cause in pairwise(errors):
        error.__cause__ = cause
    return errors


def test_causes_come_nearest_first() -> None:
    first, *behind = chained(4)

    assert list(causes(first)) == behind


def test_a_long_chain_is_cut() -> None:
    first, *behind = chained(100)

    assert list(causes(first)) == behind[:LONGEST_CHAIN]


def test_a_circle_is_walked_once() -> None:
    errors = chained(3)
    errors[2].__cause__ = errors[0]

    assert list(causes(errors[1])) == [errors[2], errors[0]]


def test_linking_is_the_inverse_of_walking() -> None:
    error, *behind = [ValueError(number) for number in range(3)]
    link(error, behind)

    assert list(causes(error)) == behind


def test_no_more_than_the_longest_chain_is_linked() -> None:
    error = ValueError()
    link(error, (ValueError() for _ in range(100)))

    assert len(list(causes(error))) == LONGEST_CHAIN
    assert list(causes(error))[-1].__cause__ is None
