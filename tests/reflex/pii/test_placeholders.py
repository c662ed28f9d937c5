"""What stands for a value."""

from stormproof.reflex.pii.finding import Kind
from stormproof.reflex.pii.placeholders import WRITTEN, Placeholders

KEY = b"key"
ALICE, BOB = "alice@example.com", "bob@example.com"


def of(value: str, *texts: str, key: bytes = KEY) -> str:
    return Placeholders({value: Kind.EMAIL}, texts, key).of(value)


def test_a_placeholder_tells_the_kind_and_four_consonants() -> None:
    """The kind says to a model what it may do with it."""
    assert WRITTEN.fullmatch(of(ALICE))
    assert of(ALICE).startswith("[EMAIL_")
    assert len(of(ALICE)) == len("[EMAIL_KQTR]")


def test_a_value_has_the_same_in_every_request() -> None:
    """Whatever else is said there, and whatever was said before and is cut off."""
    both = Placeholders({BOB: Kind.EMAIL, ALICE: Kind.EMAIL}, ["more"], KEY)
    assert both.of(ALICE) == of(ALICE)
    assert both.of(ALICE) != both.of(BOB)


def test_another_key_makes_others() -> None:
    """So nobody who has seen placeholders can tell that a value is behind them."""
    assert of(ALICE, key=b"other") != of(ALICE)


def test_none_is_a_text_that_is_already_there() -> None:
    """However it is written there; then the letters are more."""
    usual = of(ALICE)
    for written in (usual, usual.lower(), usual[1:-1], usual.replace("_", r"\_")):
        other = of(ALICE, f"so {written}, he wrote")
        assert other.startswith(usual[:-1])
        assert len(other) == len(usual) + 1


def test_letters_that_two_values_share_are_the_first_ones() -> None:
    """Thousands of values have as many placeholders."""
    values = {f"{n}@example.com": Kind.EMAIL for n in range(2000)}
    placeholders = Placeholders(values, (), KEY)
    assert len({placeholders.of(value) for value in values}) == len(values)
    assert max(len(placeholders.of(value)) for value in values) > len("[EMAIL_KQTR]")


def test_what_only_looks_like_one_stands_for_nothing() -> None:
    """A model may invent some."""
    assert Placeholders({ALICE: Kind.EMAIL}, (), KEY).value("[EMAIL_XXXX]") is None
