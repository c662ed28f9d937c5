"""What a request says before its body, which is gone through once."""

from hypothesis import given
from hypothesis import strategies as st

from stormproof.gateway.headers import header, headers_of

NAMES = st.sampled_from([b"a", b"b", b"x-request-id", b"origin"])


@given(st.lists(st.tuples(NAMES, st.binary(max_size=3))), NAMES)
def test_of_headers_with_one_name_the_first_counts(
    sent: list[tuple[bytes, bytes]], name: bytes
) -> None:
    """As for who reads them from the beginning; one that is empty is there."""
    first = next((value.decode("latin-1") for key, value in sent if key == name), None)
    assert header(headers_of({"headers": sent}), name) == first


def test_what_is_said_behind_the_body_is_none_of_them() -> None:
    """Once they were read, they stay: a key may not be put in place of another."""
    scope = {"headers": [(b"a", b"1")]}
    assert header(headers_of(scope), b"a") == "1"
    scope["headers"] += [(b"a", b"2"), (b"b", b"3")]
    assert dict(headers_of(scope)) == {b"a": b"1"}
