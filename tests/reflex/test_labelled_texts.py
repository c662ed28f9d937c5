"""Labelled texts: what they say of themselves is so."""

import re
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise

import pytest
from stdnum import luhn

from stormproof.reflex.pii.finding import Finding, Kind
from support.labelled_texts import MAKERS, Chance, LabelledText, cards, labelled_texts, sized
from support.labelled_texts.scores import scores

RULES = {
    "support.labelled_texts.identities": {
        "austrian": "at.vnr",
        "belgian": "be.nn",
        "british_health": "gb.nhs",
        "bulgarian": "bg.egn",
        "czech": "cz.rc",
        "dutch": "nl.bsn",
        "finnish": "fi.hetu",
        "french": "fr.nir",
        "greek": "gr.amka",
        "norwegian": "no.fodselsnummer",
        "polish": "pl.pesel",
        "romanian": "ro.cnp",
        "spanish": "es.dni",
        "spanish_foreigner": "es.nie",
        "swedish": "se.personnummer",
        "swiss": "ch.ssn",
    },
    "support.labelled_texts.identities_overseas": {
        "american": "us.ssn",
        "canadian": "ca.sin",
        "chilean": "cl.rut",
        "chinese": "cn.ric",
        "indian": "in_.aadhaar",
        "israeli": "il.idnr",
        "japanese": "jp.in_",
        "korean": "kr.rrn",
        "mexican": "mx.curp",
        "south_african": "za.idnr",
        "thai": "th.pin",
        "turkish": "tr.tckimlik",
    },
    "support.labelled_texts.tax_numbers": {
        "argentinian": "ar.cuit",
        "australian": "au.tfn",
        "brazilian": "br.cpf",
        "british": "gb.utr",
        "croatian": "hr.oib",
        "french": "fr.nif",
        "german": "de.idnr",
        "greek": "gr.vat",
        "irish": "ie.pps",
        "italian": "it.codicefiscale",
        "polish": "pl.nip",
        "portuguese": "pt.nif",
        "russian": "ru.inn",
    },
    "support.labelled_texts.ibans": {"iban": "iban"},
}
MAKER_RULES = [
    (module, maker, rule) for module, makers in RULES.items() for maker, rule in makers.items()
]


@pytest.fixture(scope="module")
def texts() -> Sequence[LabelledText]:
    return labelled_texts(600, seed=3)


@pytest.mark.parametrize(("module", "maker", "rule"), MAKER_RULES)
def test_a_number_is_valid_by_a_library_that_did_not_make_it(
    module: str, maker: str, rule: str
) -> None:
    """The check digits that are computed here are those of the published rules."""
    chance, make = Chance(5), getattr(import_module(module), maker)
    validate = import_module(f"stdnum.{rule}").is_valid
    drawn = [make(chance).text for _ in range(100)]
    assert [text for text in drawn if not validate(text)] == []


def test_a_card_is_valid_and_a_mistyped_one_is_not() -> None:
    """Whose digit is wrong is nobody's."""
    chance = Chance(5)
    for make, valid in ((cards.card, True), (cards.mistyped, False)):
        drawn = [re.sub("[ -]", "", make(chance).text) for _ in range(100)]
        assert {luhn.is_valid(digits) for digits in drawn} == {valid}


def test_a_seed_gives_the_same_texts_again(texts: Sequence[LabelledText]) -> None:
    """Whatever was drawn before; another seed gives others."""
    assert labelled_texts(20, seed=3) == texts[:20]
    assert labelled_texts(20, seed=4) != texts[:20]


def test_labels_stand_in_order_and_apart(texts: Sequence[LabelledText]) -> None:
    for text in texts:
        places = [(label.start, label.end) for label in text.labels]
        assert all(0 <= start < end <= len(text.text) for start, end in places)
        assert all(before[1] <= after[0] for before, after in pairwise(places))


def test_every_kind_is_planted_and_many_texts_have_nothing(
    texts: Sequence[LabelledText],
) -> None:
    assert {label.kind for text in texts for label in text.labels} == set(MAKERS) == set(Kind)
    assert 0.25 < sum(not text.labels for text in texts) / len(texts) < 0.5


def test_texts_can_be_had_by_size() -> None:
    """To measure by."""
    assert [len(text) for text in sized(3, 1024, seed=1)] == [1024] * 3


def test_what_is_labelled_and_found_counts_and_what_is_not_counts_against() -> None:
    """Half of a thing is not found; what is found anywhere else is wrong."""
    text = next(text for text in labelled_texts(50, seed=2) if len(text.labels) == 1)
    [label] = text.labels
    whole = Finding(label.kind, label.start, label.end)
    half = Finding(label.kind, label.start, label.end - 1)
    elsewhere = Finding(label.kind, label.end, label.end + 1)
    assert scores([text], [[whole]]).recall([label.kind]) == 1
    assert scores([text], [[half]]).recall([label.kind]) == 0
    assert scores([text], [[half]]).precision([label.kind]) == 1
    assert scores([text], [[whole, elsewhere]]).precision([label.kind]) == 0.5
