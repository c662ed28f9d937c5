"""JSON read as what it says."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.reflex.pii.json_text import JsonText, Replacement


def put(written: str, value: str, other: str) -> str:
    document = JsonText(written)
    start = document.text.index(value)
    return document.replaced([Replacement(start, start + len(value), other)])


def test_an_escape_is_read_as_what_it_says() -> None:
    """A line's end in front of a name is not its first letter."""
    assert put(r'{"a": "hi\nnora@x.org"}', "nora@x.org", "[X]") == r'{"a": "hi\n[X]"}'
    assert put(r'{"a": "nora\u0040x.org"}', "nora@x.org", "[X]") == '{"a": "[X]"}'


@pytest.mark.parametrize(
    ("written", "changed"),
    [('{"card": 4111}', '{"card": "[X]"}'), ('{"a\\"": [1, 4111]}', '{"a\\"": [1, "[X]"]}')],
)
def test_a_number_becomes_a_string(written: str, changed: str) -> None:
    """The document stays one."""
    assert put(written, "4111", "[X]") == changed


def test_what_is_put_in_is_escaped() -> None:
    """Whatever it says."""
    assert json.loads(put('{"a": "b"}', "b", '"\\\n')) == {"a": '"\\\n'}


def test_half_a_character_says_nothing() -> None:
    """Clients may send any escape."""
    assert JsonText(r'"\ud800 \ud83d\ude00"').text == '"\ufffd 😀"'


@given(st.text(), st.sampled_from(["sought@x.org", "é\n@", '"\\"']), st.text(), st.booleans())
def test_a_value_is_found_and_replaced_in_any_string(
    before: str, value: str, after: str, ascii_only: bool
) -> None:
    """However it is escaped; the rest says what it said."""
    document = JsonText(json.dumps(f"{before}<{value}>{after}", ensure_ascii=ascii_only))
    start = document.text.index(f"<{value}>") + 1
    changed = document.replaced([Replacement(start, start + len(value), "[X]")])
    assert json.loads(changed) == f"{before}<[X]>{after}"
