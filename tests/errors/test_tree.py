"""The drawing at the top of the errors floor is the tree that the code makes."""

from collections.abc import Iterator

import stormproof.errors as face
from stormproof.errors import Category, ClientError, NotFound, StormproofError, known_errors

OURS = "stormproof.errors."


def drawn(cls: type[StormproofError], indent: str = "") -> Iterator[str]:
    """Draw what is below ``cls``: families in their order, classes in that of the code."""
    ours = [child for child in cls.__subclasses__() if child.__module__.startswith(OURS)]
    children = sorted(ours, key=lambda child: list(Category).index(child.category))
    for child in children:
        last = child is children[-1]
        branch = f"{indent}{'└──' if last else '├──'} {child.__name__}"
        own = "code" in vars(child)
        yield f"{branch:<39} {child.code} {child.http_status}" if own else branch
        yield from drawn(child, indent + ("    " if last else "│   "))


def test_the_drawing_is_the_code() -> None:
    """Order, names, codes and statuses agree, line by line."""
    picture = str(face.__doc__).partition("status:\n\n")[2]
    lines = [line.removeprefix("    ") for line in picture.splitlines()]

    assert lines == ["StormproofError", *drawn(StormproofError)]


def test_classes_without_a_code_of_their_own_are_not_known_by_one() -> None:
    """An intermediate class is for catching; on the wire its leaves speak."""
    assert NotFound not in known_errors().values()
    assert known_errors()["CLIENT_ERROR"] is ClientError


def test_leaves_of_applications_take_part() -> None:
    """A class that an application derives is known as soon as it exists."""

    class BadgeExpired(ClientError):
        """The badge is no longer valid."""

        code = "BADGE_EXPIRED"
        http_status = 403

    assert known_errors()["BADGE_EXPIRED"] is BadgeExpired
