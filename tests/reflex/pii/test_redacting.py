"""A conversation without its personal data."""

import json

from stormproof.reflex.passages import Passage
from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.redacting import Redaction, redacted, said
from support.planted import Planted

ALICE, PHONE = "alice@example.com", "0151 2345678"
FINDS = Planted({ALICE: Kind.EMAIL, f"call {PHONE}": Kind.PHONE})


def of(*texts: Passage) -> Redaction:
    return redacted(texts, [FINDS.find(said(text)) for text in texts], b"key")


def test_a_value_is_the_same_placeholder_wherever_it_stands() -> None:
    """In prose, in arguments however they escape it, in results of tools."""
    prose = Passage(("a",), f"to {ALICE}")
    arguments = Passage(("arguments",), '{"to": "\\nalice\\u0040example.com"}')
    result = Passage(("c",), f'{{"sent": ["{ALICE}"]}}', "tool")
    texts, placeholders = of(prose, arguments, result)
    word = placeholders.of(ALICE)
    assert texts == {
        ("a",): f"to {word}",
        ("arguments",): f'{{"to": "\\n{word}"}}',
        ("c",): f'{{"sent": ["{word}"]}}',
    }


def test_what_was_found_once_is_found_again_without_what_gave_it_away() -> None:
    """An assistant repeats a number in other words."""
    found = [[Finding(Kind.PHONE, 5, 17)], []]
    texts = [
        Passage(("a",), f"call {PHONE}"),
        Passage(("b",), f"I noted {PHONE}, and 70151 2345678"),
    ]
    changed, placeholders = redacted(texts, found, b"key")
    word = placeholders.of(PHONE)
    assert changed == {("a",): f"call {word}", ("b",): f"I noted {word}, and 70151 2345678"}


def test_what_was_found_once_is_found_again_where_no_space_parts_words() -> None:
    """As in Chinese."""
    found = [[Finding(Kind.PHONE, 5, 17)], []]
    texts = [Passage(("a",), f"call {PHONE}"), Passage(("b",), f"请打{PHONE}谢谢")]
    changed, placeholders = redacted(texts, found, b"key")
    assert changed["b",] == f"请打{placeholders.of(PHONE)}谢谢"


def test_texts_without_any_are_not_touched() -> None:
    """Nor are those in which there is none copied."""
    assert of(Passage(("a",), ALICE), Passage(("b",), "nothing")).texts.keys() == {("a",)}


def test_arguments_that_are_no_json_are_read_as_they_are() -> None:
    """Models write such ones too."""
    texts, placeholders = of(Passage(("arguments",), f'{{"to": "{ALICE}'))
    assert texts == {("arguments",): f'{{"to": "{placeholders.of(ALICE)}'}


def test_arguments_stay_json() -> None:
    """Also where a value was no string."""
    texts, _ = redacted(
        [Passage(("arguments",), '{"card": 4111111111111111}')], [[Finding(Kind.CARD, 9, 25)]], b"k"
    )
    assert json.loads(texts["arguments",])["card"].startswith("[CARD_")
