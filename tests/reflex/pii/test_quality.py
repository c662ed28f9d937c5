"""What the detector finds in labelled texts, and what it takes for something that is nothing."""

import pytest

from stormproof.reflex.pii.detector import Detector
from stormproof.reflex.pii.finding import Kind
from support.labelled_texts import labelled_texts
from support.labelled_texts.scores import VALIDATED, Scores, scores


@pytest.fixture(scope="module")
def result() -> Scores:
    texts = labelled_texts(1_000, seed=11)
    detector = Detector()
    return scores(texts, [detector.find(text.text) for text in texts])


def test_what_has_a_form_of_its_own_is_found(result: Scores) -> None:
    """In prose, data, logs and code, with and without its name beside it: 99 % of it."""
    assert (result.recall(VALIDATED) or 0) >= 0.99


@pytest.mark.parametrize("kind", sorted(VALIDATED))
def test_no_kind_is_left_behind(kind: Kind, result: Scores) -> None:
    """Not one of them in thirty is missed."""
    assert (result.recall([kind]) or 0) >= 0.97


def test_what_only_looks_like_it_is_left_alone(result: Scores) -> None:
    """Orders, versions, dates, hashes, and numbers with a digit wrong: 98 % of findings are so."""
    assert (result.precision(VALIDATED) or 0) >= 0.98
    assert (result.precision(Kind) or 0) >= 0.98


@pytest.mark.parametrize(
    "text",
    ["rows[1:, 1::2]", "x[::2]", "std::vector", "[ 1.6862, -1.1282,  1.1031]", "a = b[2::3]"],
)
def test_programs_are_left_alone(text: str) -> None:
    """Slices are no addresses of the Internet, and rows of numbers no places."""
    assert not Detector().find(text)


@pytest.mark.parametrize("address", ["2001:db8::7", "fe80::1", "fd12::9"])
def test_short_addresses_are_found(address: str) -> None:
    """What networks have; in brackets as well."""
    text = f"http://[{address}]:8080/"
    found = Detector().find(text)
    assert [text[one.start : one.end] for one in found] == [address]
