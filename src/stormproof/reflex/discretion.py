"""What a provider says about a call is not passed on where it may quote what is private."""

from copy import copy
from typing import Final, TypeVar

from stormproof.errors import StormproofError

WITHHELD: Final = "what the provider says is withheld: the request holds personal data"
_WORDS: Final = ("reason", "error_message")

E = TypeVar("E", bound=StormproofError)


def discreet(error: E) -> E:
    """Return an error without anybody's own words, and without its cause, which has them too."""
    told = copy(error)
    vars(told).update({name: WITHHELD for name in _WORDS if vars(told).get(name)})
    told.__cause__ = None
    return told
