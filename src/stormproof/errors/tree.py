"""The tree of errors, as it stands in the running program."""

from collections.abc import Iterator

from stormproof.errors.root import StormproofError


def known_errors() -> dict[str, type[StormproofError]]:
    """Return every class that has a code of its own, by that code.

    Those that applications have derived are among them; so are the four families.
    """
    return {cls.code: cls for cls in _below(StormproofError) if "code" in vars(cls)}


def _below(cls: type[StormproofError]) -> Iterator[type[StormproofError]]:
    for child in cls.__subclasses__():
        yield child
        yield from _below(child)
