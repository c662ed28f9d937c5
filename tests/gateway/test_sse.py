"""Events on the wire are what their documents say, however they were encoded."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stormproof.gateway import sse

texts = st.text()


def document(text: str) -> dict[str, Any]:
    return {"id": "x", "choices": [{"delta": {"content": text}}], "model": 'a "b" \\ é'}


def decoded(event: bytes) -> Any:
    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    assert event.count(b"\n") == 2
    return json.loads(event.removeprefix(b"data: "))


@given(texts)
def test_an_event_is_one_line_that_holds_its_document(text: str) -> None:
    assert decoded(sse.data(document(text))) == document(text)


@given(st.lists(texts))
def test_an_event_prepared_but_for_its_text_is_the_same_event(found: list[str]) -> None:
    prepared = sse.TextEvent(document)
    assert [prepared(text) for text in found] == [sse.data(document(text)) for text in found]


def test_half_a_character_does_not_break_a_stream() -> None:
    assert decoded(sse.TextEvent(document)("a\ud800b")) == document("a?b")
