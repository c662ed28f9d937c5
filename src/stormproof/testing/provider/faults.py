"""What goes wrong behind a gateway: the table by which gateways are compared."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from stormproof.testing.provider.steps import (
    Answer,
    Break,
    Broken,
    Hang,
    Page,
    Refusal,
    Reset,
    SlowHead,
    Step,
)

_Steps: TypeAlias = tuple[Step, ...]

_HEALTHY: Final[_Steps] = (Answer(),)
_LIMITED: Final = Refusal(429, retry_after=3)
_EMPTY: Final = b'{"id":"x","object":"chat.completion","created":1,"model":"scripted","choices":[]}'
_MALFORMED: Final = b'{"id":"x","object":"chat.completion","choices":[{"index":0,"mess'
_HTML: Final = b"<html><body><h1>Welcome</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Fault:
    """One line of the table.

    Attributes:
        title: What goes wrong.
        targets: What each target does, call by call, in the order in which they are to be asked.
        stream: Whether a stream is asked for.
        requests: How many are sent, one after the other.
        leaves: Seconds after which the client is gone; None if it waits.
        hopeless: Whether nobody can answer, so that a degraded answer is as good as it gets.
    """

    title: str
    targets: tuple[_Steps, ...]
    stream: bool = False
    requests: int = 1
    leaves: float | None = None
    hopeless: bool = False

    @property
    def name(self) -> str:
        """What clients call the model to which it happens."""
        words = "".join(letter if letter.isalnum() else " " for letter in self.title.lower())
        return "-".join(words.split())


def _first(title: str, *steps: Step, stream: bool = False, requests: int = 1) -> Fault:
    """Return a fault of the first of two targets."""
    return Fault(title, (steps, _HEALTHY), stream, requests)


def _broken(title: str, how: Break) -> Fault:
    return _first(f"stream, 5 tokens: {title}", Broken(how), stream=True)


FAULTS: Final = (
    _first("429, Retry-After 3", _LIMITED),
    _first("stream: 429, Retry-After 3", _LIMITED, stream=True),
    _first("500 three times", *[Refusal(500)] * 3, Answer()),
    _first("503, eight requests", Refusal(503), requests=8),
    _first("no answer", Hang()),
    _first("stream: no answer", Hang(), stream=True),
    _first("reset", Reset()),
    _first("head byte by byte, 10 s", SlowHead(10)),
    _first("200, malformed JSON", Page(_MALFORMED)),
    _first("200, no choices", Page(_EMPTY)),
    _first("200, nothing", Page(b"")),
    _first("200, HTML", Page(_HTML, "text/html")),
    _first("200, cut short", Broken(Break.END)),
    _broken("reset", Break.CUT),
    _broken("clean end", Break.END),
    _broken("error event", Break.ERROR),
    _broken("silence", Break.STALL),
    _broken("malformed event", Break.GARBAGE),
    Fault("client gone", ((Answer(delay=5),), _HEALTHY), leaves=0.3),
    Fault("stream: client gone", ((Answer(200, pace=0.05),), _HEALTHY), stream=True, leaves=0.5),
    Fault("one of three down, eight requests", ((Reset(),), _HEALTHY, _HEALTHY), requests=8),
    Fault(
        "all down",
        ((Refusal(503),), (Refusal(429, retry_after=5),), (Reset(),)),
        hopeless=True,
    ),
)
