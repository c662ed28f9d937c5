"""An application behind the reflex, and who asks it."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import httpx2
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from stormproof.reflex import (
    Call,
    Companion,
    Ending,
    OnFailure,
    Outcome,
    Passed,
    PiiAction,
    PiiPolicy,
    PiiStage,
    Reflex,
    Stage,
    Step,
)
from stormproof.reflex.asgi import APIS, ReflexMiddleware
from stormproof.reflex.pii.finding import Kind
from support.planted import Planted

ALICE, BOB = "alice@example.com", "bob@example.com"
FINDER = Planted({ALICE: Kind.EMAIL, BOB: Kind.EMAIL})

Document = dict[str, Any]
Says = Callable[[Document], Document | list[Document]]
"""Answers a request, with one document or with events."""

Said = Callable[[str, int, Document], list[Document]]
"""Returns the events that say words, in pieces of a size, and call a tool with arguments."""


def redacting(action: PiiAction = PiiAction.REDACT, *, answers: bool = False) -> PiiStage:
    """Return a stage that finds two people, in answers too where that is wanted."""
    return PiiStage(FINDER, policy=PiiPolicy(action), answers=answers, key=b"key")


class Noting(Companion):
    """Passes everything, and notes how calls end; a stage, and its companion."""

    name = "noting"

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.endings: list[Ending] = []

    async def enter(self, call: Call) -> Outcome:
        """Go with a call."""
        self.calls.append(call)
        return Passed(self)

    async def settle(self, ending: Ending) -> None:
        """Note an end."""
        self.endings.append(ending)


class GuardedApp:
    """Answers what a test has it say.

    Args:
        stages: In front of it.
        apis: Those that are guarded.

    Attributes:
        says: That.
        asked: The bodies of requests that came.
    """

    def __init__(self, *stages: Stage, apis: Mapping[str, Any] = MappingProxyType(APIS)) -> None:
        self.says: Says = lambda _: {}
        self.asked: list[Document] = []
        reflex = Reflex([Step(stage, OnFailure.CLOSED) for stage in stages])
        self._guarded = ReflexMiddleware(self._answer, reflex=reflex, apis=apis)

    async def ask(self, path: str, body: Document) -> httpx2.Response:
        """Return what a client gets."""
        transport = httpx2.ASGITransport(self._guarded)
        async with httpx2.AsyncClient(transport=transport, base_url="http://app") as client:
            return await client.post(path, json=body)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = await Request(scope, receive).json()
        self.asked.append(asked)
        said = self.says(asked)
        if isinstance(said, dict):
            response: Response = JSONResponse(said)
        else:
            response = Response(streamed(said), media_type="text/event-stream")
        await response(scope, receive, send)


async def restored_stream(
    path: str, asked: Document, said: Said, *, size: int, answers: bool
) -> list[Document]:
    """Return the events that a client gets of a stream which says what stands for ALICE.

    In words, ``hi …, [EMAIL``, and between quotes in the argument ``to``; the stages hear of its
    end, and of seven tokens.

    Args:
        path: Where it is asked for.
        asked: By what, which names ALICE.
        said: Makes its events.
        size: Characters of a piece.
        answers: Whether all that a model says is looked through.
    """
    noting = Noting()
    app = GuardedApp(redacting(answers=answers), noting)

    def says(asked: Document) -> list[Document]:
        word = placeholder(asked)
        return said(f"hi {word}, [EMAIL", size, {"to": f'"{word}"'})

    app.says = says
    told = events(await app.ask(path, {**asked, "stream": True}))
    [ending] = noting.endings
    assert (ending.error, ending.usage and ending.usage.total_tokens) == (None, 7)
    return told


def streamed(events: Sequence[Document]) -> str:
    """Return events as they are sent."""
    return "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events)


def events(response: httpx2.Response) -> list[Document]:
    """Return the events of an answer."""
    return [json.loads(line[6:]) for line in response.text.splitlines() if line[:6] == "data: "]


def placeholder(document: Document) -> str:
    """Return the one that stands in a document."""
    [word] = {one[0] for one in re.finditer(r"\[EMAIL_[A-Z]+\]", json.dumps(document))}
    return word


def cut(text: str, size: int) -> list[str]:
    """Return a text in pieces."""
    return [text[start : start + size] for start in range(0, len(text), size)]
