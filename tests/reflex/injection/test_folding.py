"""Letters that look alike become the same ones, and places can be counted back."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.reflex.injection.folding import Counting, fold, squeeze

ANY = st.text(alphabet=st.characters(codec=None))
SCRIPTS = ("αβςωάΐΏΣé«", "абяЯёґїé№—", "あがぱアガパー。、「漢é")
WRITTEN = st.sampled_from(SCRIPTS).flatmap(lambda script: st.text(f"abz {script}"))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("ignore", "ignore"),
        ("ｉｇｎｏｒｅ", "ignore"),  # noqa: RUF001
        ("𝐢𝐠𝐧𝐨𝐫𝐞", "ignore"),  # noqa: RUF001
        ("іgnоrе", "ignore"),  # noqa: RUF001
        ("i\u200bg\u00adn\u2060o\ufeffre", "ignore"),
        ("ígñóŕè", "ignore"),
        ("ɪɢɴᴏʀᴇ", "ignore"),
        ("🅸🅶🅽🅾🆁🅴", "ignore"),
        ("🇮🇬🇳🇴🇷🇪", "ignore"),
        ("\u202eignore\u202c", "ignore"),
        ("all“previous”", "all previous "),
        ("Prompt。", "Prompt."),
    ],
)
def test_words_are_read_as_they_look(written: str, read: str) -> None:
    """Without marks and invisible characters; symbols are as spaces."""
    assert fold(written) == read


def test_ascii_is_passed_as_it_is() -> None:
    """The same object: nothing is copied."""
    text = "".join(map(chr, range(0x80)))
    assert fold(text) is text


def test_cyrillic_words_stay_the_same_in_either_case() -> None:
    """So that words of attacks in Russian are found in capitals too."""
    letters = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
    assert fold(letters).lower() == fold(letters.upper()).lower()


def test_squeezed_letters_stand_together() -> None:
    """Digits become the letters that they are written for."""
    assert squeeze("1gn0r3 - 4LL!") == "ignoreaiii"


@pytest.mark.parametrize("page", ["cp1252", "cp1251", "cp1253", "cp932"])
def test_letters_of_code_pages_are_folded_as_others_are(page: str) -> None:
    """However fast: one that is not in the page makes no difference to those before it."""
    letters = bytes(range(256)).decode(page, "ignore")
    assert fold(f"{letters}中") == "".join(map(fold, letters)) + "中"


@given(WRITTEN, WRITTEN, st.sampled_from(["", "é", "–", "中", "ﬁ"]))  # noqa: RUF001
def test_what_stands_beside_a_letter_makes_no_difference_to_its_fold(
    one: str, other: str, between: str
) -> None:
    """However a text is folded that has letters of one script, of two, or with accents."""
    text = one + between + other
    assert fold(text) == "".join(map(fold, text))


@given(ANY, ANY)
def test_a_fold_is_made_of_the_folds_of_the_parts(one: str, other: str) -> None:
    """Which is what counting back builds upon."""
    assert fold(one) + fold(other) == fold(one + other)


@given(ANY.filter(fold), st.data())
def test_places_are_counted_back(text: str, data: st.DataObject) -> None:
    """To the one character that each is made of."""
    folded = fold(text)
    place = data.draw(st.integers(0, len(folded) - 1))
    start, end = Counting(text, fold).back((place, place + 1))
    assert end == start + 1
    assert len(fold(text[:start])) <= place < len(fold(text[:end]))
    assert fold(text[start])[place - len(fold(text[:start]))] == folded[place]


@given(st.text(min_size=200, max_size=400, alphabet="aé\u200b\ufdfa"), st.data())
def test_places_in_long_texts_are_counted_back(text: str, data: st.DataObject) -> None:
    """Over many blocks, of characters that vanish and such as become eighteen."""
    folded = fold(text)
    if folded:
        place = data.draw(st.integers(0, len(folded) - 1))
        start, end = Counting(text, fold).back((place, len(folded)))
        assert len(fold(text[:start])) <= place < len(fold(text[: start + 1]))
        assert fold(text[end:]) == ""


@given(ANY)
def test_what_is_folded_stays_as_it_is(text: str) -> None:
    """So what a disguise was taken off need not be folded again."""
    assert fold(fold(text)) == fold(text)


@given(ANY)
def test_every_way_of_folding_gives_the_same(text: str) -> None:
    """What a code page has, and what none has, which goes the long way."""
    assert fold(text) == "".join(fold(f"{one}中")[:-1] for one in text)


def test_ideographs_stay_what_they_are() -> None:
    """They need no look, and are no look-alikes."""
    ideographs = "".join(map(chr, [*range(0x3400, 0x4DC0), *range(0x4E00, 0xA000)]))
    assert unicodedata.normalize("NFKD", ideographs) == ideographs
    assert "".join(fold(f"é{one}")[1:] for one in ideographs) == ideographs
