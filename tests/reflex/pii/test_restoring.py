"""Values put back into a text that comes in pieces."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.reflex.pii.finding import Kind
from stormproof.reflex.pii.placeholders import Placeholders
from stormproof.reflex.pii.restoring import Restoring

VALUES = {
    "alice@example.com": Kind.EMAIL,
    'O"Neil\n': Kind.PERSON,
    "1990-01-01": Kind.DATE_OF_BIRTH,
}
PLACEHOLDERS = Placeholders(VALUES, (), b"key")
EMAIL, PERSON, BIRTH = (PLACEHOLDERS.of(value) for value in VALUES)


def restored(*pieces: str, json: bool = False) -> list[str]:
    restoring = Restoring(PLACEHOLDERS, json=json)
    return [*(restoring.push(piece) for piece in pieces), restoring.rest()]


@pytest.mark.parametrize(
    "written",
    [
        EMAIL,
        EMAIL.lower(),
        EMAIL.title(),
        EMAIL[1:-1],
        EMAIL.replace("_", r"\_"),
        EMAIL.replace("[", r"\[").replace("_", r"\_").replace("]", r"\]"),
    ],
)
def test_what_models_make_of_a_placeholder_is_known(written: str) -> None:
    """Other case, no brackets, the escapes of Markdown."""
    assert "".join(restored(f"to {written}, and")) == "to alice@example.com, and"


@pytest.mark.parametrize(
    "around", ["**{}**", "`{}`", "'{}'", "<{}>", "[{}](mailto:{})", "({}).", "\\{}"]
)
def test_what_stands_around_it_stays(around: str) -> None:
    """Quotes, emphasis, links, and a backslash that stood before the value."""
    assert "".join(restored(around.replace("{}", EMAIL))) == around.replace(
        "{}", "alice@example.com"
    )


@pytest.mark.parametrize(
    "written", [f"x{EMAIL[1:-1]}", f"{EMAIL[1:-1]}x", EMAIL[:-2], "[EMAIL_XXXX]"]
)
def test_what_is_none_stays(written: str) -> None:
    """Parts of words, and letters that nothing was given."""
    assert "".join(restored(written)) == written


def test_in_json_a_value_is_written_as_in_a_string() -> None:
    """So that the document stays one."""
    document = "".join(restored(json.dumps({"who": PERSON}), json=True))
    assert json.loads(document) == {"who": 'O"Neil\n'}


def test_only_what_may_become_a_placeholder_is_held_back() -> None:
    """A bracket, and then for as long as the letters are those of one that there is."""
    assert restored("see [", "1] and [E", "MAIL_") == ["see ", "[1] and ", "", "[EMAIL_"]
    assert restored("an e", "gg") == ["an ", "egg", ""]
    assert restored("nobody", " at home") == ["nobody", " at home", ""]


def test_a_part_of_a_word_stays_one_wherever_it_is_cut() -> None:
    """What has gone out is known as far as it matters."""
    assert "".join(restored("x", EMAIL[1:-1], " ")) == f"x{EMAIL[1:-1]} "


PARTS = st.sampled_from(
    [
        EMAIL,
        PERSON,
        BIRTH,
        EMAIL.lower(),
        BIRTH[1:-1],
        EMAIL[:5],
        BIRTH[3:],
        *"\\[]_ eEmx",
        "\\]",
        "DATE",
    ]
)


@given(st.lists(PARTS, max_size=12).map("".join), st.data(), st.booleans())
def test_pieces_make_the_same_text_as_the_whole(text: str, data: st.DataObject, json: bool) -> None:
    """Wherever they are cut."""
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=8).map(sorted))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert "".join(restored(*pieces, json=json)) == "".join(restored(text, json=json))
