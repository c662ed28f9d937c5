"""Messages arrive whole and in order, however the stream is cut; damage is told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.engine.supervised.wire import Decoder, encode
from stormproof.errors import ProtocolError, StormproofError, TensorError

MESSAGES = st.lists(st.integers() | st.text() | st.lists(st.binary()), max_size=8)


@given(MESSAGES, st.integers(1, 50))
def test_messages_survive_any_cut(messages: list[Any], size: int) -> None:
    stream = b"".join(map(encode, messages))
    decoder = Decoder()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [message for piece in pieces for message in decoder.feed(piece)] == messages


def test_errors_travel_as_they_are() -> None:
    [error] = Decoder().feed(encode(TensorError(reason="not a number", request_id="req-1")))
    assert isinstance(error, StormproofError)
    assert (error.code, error.request_id) == ("TENSOR_ERROR", "req-1")


@pytest.mark.parametrize("damaged", [b"\xff" * 64, b"\x04\x00\x00\x00nope"])
def test_damage_is_an_error_of_the_connection(damaged: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(Decoder().feed(damaged))
