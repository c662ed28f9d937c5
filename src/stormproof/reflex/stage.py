"""What a stage is: it looks at a request before a model does, and at the answer afterwards.

What is made for every request is a struct: it takes no call of Python to make one.
"""

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Final, Protocol, TypeAlias, final

import msgspec

from stormproof.errors import StormproofError
from stormproof.providers import (
    ChatRequest,
    Chunk,
    Completion,
    EmbeddingRequest,
    Journey,
    TextRequest,
    Usage,
)
from stormproof.reflex.cache_use import CacheUse
from stormproof.reflex.caller import Caller
from stormproof.reflex.once import Once
from stormproof.reflex.passages import Passage, passages

_text_of: Final = attrgetter("text")

Request: TypeAlias = ChatRequest | TextRequest | EmbeddingRequest
"""What may be asked."""


class Call(msgspec.Struct, frozen=True, dict=True):
    """A request on its way to a model.

    Attributes:
        request: As the stages before have left it.
        caller: Who sent it.
        private: Whether a stage before has found something in it that may not be kept.
        cache_use: What its sender wants of answers that were kept.
    """

    request: Request
    caller: Caller
    private: bool = False
    cache_use: CacheUse = CacheUse.FULL

    @Once
    def passages(self) -> Sequence[Passage]:
        """Its texts; looked for once for all stages."""
        return passages(self.request)

    @Once
    def text(self) -> str:
        """All its texts, with an end of a line between them: what is not in it is in none."""
        return "\n".join(map(_text_of, self.passages))


class Ending(msgspec.Struct, frozen=True):
    """What has become of a call.

    Attributes:
        journey: Who was asked, who answered, and what that cost.
        usage: Tokens, as far as anybody counted them; None if a stage answered, or nobody did.
        error: Why there is no whole answer; None if there is one.
        private: Whether something was found, in the request or the answer, that may not be kept.
        asked: Whether it was for a model to answer: no stage had.
    """

    journey: Journey
    usage: Usage | None
    error: BaseException | None
    private: bool
    asked: bool = True


class Companion:
    """Goes with a call that a stage has let pass, and sees its answer: by itself it does nothing.

    Answers pass the companions in the reverse of the stages' order: the last stage is the first to
    see what the model said.

    Attributes:
        private: Whether something was found that may not be kept.
        slow: Whether it takes milliseconds to look at an answer, which is then done on a thread.
    """

    private: bool = False
    slow: bool = False

    def headers(self) -> Mapping[bytes, bytes]:
        """Return what the answer's headers are to say; names in small letters."""
        return {}

    def whole(self, answer: Completion) -> Completion:
        """Return an answer as the caller is to have it.

        Raises:
            StormproofError: He is not to have it.
        """
        return answer

    def piece(self, chunk: Chunk) -> Iterable[Chunk]:
        """Return what there is to say when another piece has come.

        Raises:
            StormproofError: The caller is not to have it.
        """
        return (chunk,)

    def rest(self) -> Iterable[Chunk]:
        """Return what is left to say when no piece comes any more."""
        return ()

    def settle(self, ending: Ending) -> Awaitable[None] | None:
        """Take note of what has become of the call; called once, also if it was given up.

        Returns:
            What is waited for; None where it is done. It may be an ``async def``.
        """


@final
class Passed(msgspec.Struct, frozen=True):
    """The stage has nothing against the request as it is.

    Attributes:
        companion: What goes with the call.
        remembered: What was answered to the same request before, too long ago to be the answer.
    """

    companion: Companion | None = None
    remembered: Completion | None = None


PASSED: Final = Passed()
"""What most stages say of most requests."""


@final
class Changed(msgspec.Struct, frozen=True):
    """The request goes on as another one."""

    request: Request
    companion: Companion | None = None


@final
class Answered(msgspec.Struct, frozen=True):
    """No model has to be asked.

    Attributes:
        answer: What the caller gets.
    """

    answer: Completion


@final
class Rejected(msgspec.Struct, frozen=True):
    """The request goes no further.

    Attributes:
        error: Why, and whatever else its sender is told; it says nothing of what was found but its
            kind and its place.
    """

    error: StormproofError


Outcome: TypeAlias = Passed | Changed | Answered | Rejected


class Stage(Protocol):
    """One step of the line."""

    @property
    def name(self) -> str:
        """What settings, events and headers call it."""
        ...

    def enter(self, call: Call) -> Outcome | Awaitable[Outcome]:
        """Look at a call.

        Returns:
            What becomes of it, or what that is waited for. It may be an ``async def``; where there
            is nothing to wait for, a function takes less time.

        Raises:
            Exception: It could not be looked at; what then becomes of the call is up to the line.
        """
        ...
