"""``stormproof chat``: a conversation in the terminal, streamed."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any

import httpx2
import typer
from rich.console import Console

from stormproof.cli.failures import failures
from stormproof.cli.server import LOCAL, Url, first_model, key_headers, read_json
from stormproof.errors import ProtocolError, StormproofError, from_wire, translate

_HELP = "Type a message; /new starts over, /exit or Ctrl-D leaves, Ctrl-C stops an answer."


def chat(
    prompt: Annotated[
        str | None, typer.Argument(help="Ask this, print the answer, and leave.")
    ] = None,
    *,
    url: Url = LOCAL,
    model: Annotated[
        str | None, typer.Option(help="Model to talk to; by default the first that is served.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="System message.")] = None,
    temperature: Annotated[float | None, typer.Option(help="Randomness, 0 to 2.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Longest answer, in tokens.")] = None,
) -> None:
    """Talk to a running server.

    A key is taken from the environment variable STORMPROOF_API_KEY.
    """
    console = Console()
    with failures(Console(stderr=True)), _client(url) as client:
        options = {"temperature": temperature, "max_tokens": max_tokens}
        conversation = _Conversation(
            client,
            model or first_model(client),
            system,
            {k: v for k, v in options.items() if v is not None},
        )
        if prompt is not None:
            _print_answer(console, conversation.ask(prompt))
        else:
            _converse(console, conversation)


class _Conversation:
    """The messages so far, and the server that adds to them."""

    def __init__(
        self, client: httpx2.Client, model: str, system: str | None, options: dict[str, Any]
    ) -> None:
        self.model = model
        self._client = client
        self._options = options
        self._opening = [{"role": "system", "content": system}] if system else []
        self._messages = list(self._opening)

    def restart(self) -> None:
        """Forget everything but the system message."""
        self._messages = list(self._opening)

    def ask(self, text: str) -> Iterator[str]:
        """Say ``text`` and yield the answer as it comes; what failed is as if never said."""
        question = {"role": "user", "content": text}
        body = {
            "model": self.model,
            "messages": [*self._messages, question],
            "stream": True,
            **self._options,
        }
        pieces = []
        for piece in _stream(self._client, body):
            pieces.append(piece)
            yield piece
        answer = {"role": "assistant", "content": "".join(pieces)}
        self._messages += [question, answer]


def _converse(console: Console, conversation: _Conversation) -> None:
    with suppress(ImportError):  # Windows has none: its terminal edits lines itself
        import readline  # noqa: F401, PLC0415 - from now on input() edits lines, and knows the last
    console.print(f"[bold]{conversation.model}[/] · {_HELP}", style="dim")
    while True:
        try:
            text = input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            console.print()
            return
        if text == "/exit":
            return
        if text == "/new":
            conversation.restart()
        elif text:
            _answer_or_explain(console, conversation, text)


def _answer_or_explain(console: Console, conversation: _Conversation, text: str) -> None:
    """One failed answer must not end the conversation."""
    try:
        _print_answer(console, conversation.ask(text))
    except StormproofError as error:
        console.print(f"\n[red]{error.code}[/]: {error.message}", highlight=False)
        console.print(error.remedy, style="dim", highlight=False)
    except KeyboardInterrupt:
        console.print("\n(stopped)", style="dim")


def _print_answer(console: Console, pieces: Iterator[str]) -> None:
    for piece in pieces:
        console.out(piece, end="", highlight=False)
    console.print()


def _client(url: str) -> httpx2.Client:
    # An answer may take long to begin; that a server is not there shows at once.
    timeout = httpx2.Timeout(None, connect=5.0)
    return httpx2.Client(base_url=url, headers=key_headers(), timeout=timeout)


def _stream(client: httpx2.Client, body: dict[str, Any]) -> Iterator[str]:
    try:
        with client.stream("POST", "/v1/chat/completions", json=body) as response:
            if response.is_error:
                response.read()
                read_json(response)
            yield from _texts(response)
    except httpx2.HTTPError as error:
        raise translate(error) from error


def _texts(response: httpx2.Response) -> Iterator[str]:
    for line in response.iter_lines():
        field, _, data = line.partition(":")
        if field == "data":
            if data.strip() == "[DONE]":
                return
            chunk = json.loads(data)
            if "error" in chunk:
                raise from_wire(chunk)
            for choice in chunk["choices"]:
                yield choice["delta"].get("content") or ""
    raise ProtocolError(reason="the answer ended without saying so")
