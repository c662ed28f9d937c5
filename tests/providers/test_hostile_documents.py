"""Whatever clients send is understood, or refused."""

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.errors import InvalidRequest, ProviderError
from stormproof.providers.chat import ChatRequest
from stormproof.providers.documents import decoded
from stormproof.providers.embeddings.judging import judged
from stormproof.providers.embeddings.request import EmbeddingRequest
from stormproof.providers.judging import Judge
from stormproof.providers.texts import TextRequest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
FIELDS = (
    "model",
    "messages",
    "prompt",
    "input",
    "stream",
    "n",
    "max_tokens",
    "logprobs",
    "encoding_format",
    "dimensions",
    "stop",
    "tools",
)
VALUES = JSON | st.sampled_from(["m", "float", 1, [1], ["a"], [{"role": "user", "content": "a"}]])


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES))
def test_a_request_is_one_or_is_refused(document: dict[str, Any]) -> None:
    """And tells about how long it is."""
    for kind in (ChatRequest, TextRequest, EmbeddingRequest):
        try:
            request: Any = kind(document)
        except InvalidRequest:
            continue
        assert request.tokens >= 0
        assert request.document == document


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_a_body_is_an_object_or_is_refused(body: bytes) -> None:
    with suppress(InvalidRequest):
        assert isinstance(decoded(body), dict)


@pytest.mark.parametrize("levels", [1, 100, 127])
def test_what_is_nested_as_documents_are_is_read(levels: int) -> None:
    deep = b'{"a":' + b"[" * levels + b"]" * levels + b"}"
    assert msgspec.json.encode(decoded(deep)) == deep


@pytest.mark.parametrize("levels", [128, 500, 950, 975, 100_000])
@pytest.mark.parametrize(("opens", "closes"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_what_nobody_could_write_again_is_refused(opens: bytes, closes: bytes, levels: int) -> None:
    """Here, and not by whoever would be blamed for it."""
    with pytest.raises(InvalidRequest, match=r"nested|JSON"):
        decoded(b'{"a":' + opens * levels + b"1" * (opens != b"[") + closes * levels + b"}")


def test_many_brackets_are_no_depth() -> None:
    body = json.dumps({"messages": [{"content": "{[" * 200}] * 200}).encode()
    assert len(decoded(body)["messages"]) == 200


@given(st.fixed_dictionaries({}, optional={"data": JSON, "usage": JSON}), st.integers(1, 3))
def test_an_answer_has_vectors_or_is_the_providers_fault(
    document: dict[str, Any], texts: int
) -> None:
    try:
        found = judged(Judge("acme"), document, texts=texts, dimensions=None)
    except ProviderError:
        return
    assert len(found.vectors) == texts
