"""Goes with a call in which personal data was found, or may be found in the answer."""

from collections.abc import Iterable
from functools import partial

import msgspec

from stormproof.providers import Chunk, Completion
from stormproof.recovery import publish
from stormproof.reflex.passages import Place
from stormproof.reflex.pii.answer_texts import AnswerTexts
from stormproof.reflex.pii.events import PiiFound
from stormproof.reflex.pii.filters import Chain, Filter
from stormproof.reflex.pii.placeholders import Placeholders
from stormproof.reflex.pii.restoring import Restoring
from stormproof.reflex.pii.screening import Judgement
from stormproof.reflex.stage import Companion, Ending


class Private(Companion):
    """Tells that something was found which may not be kept."""

    private = True


class PiiCompanion(Companion):
    """Looks through what a model says, and puts values back.

    Logarithms of probabilities are of the tokens that the model wrote, and stay; where texts may
    not go out as it wrote them, neither do its tokens.

    Args:
        model: Whom the caller asked.
        wants_json: Whether the answer is to be a JSON document.
        placeholders: What the model was sent in place of values; None if it was nothing.
        judgement: What is done about what it says; None if that is not looked through.
        private: Whether something was found in the request.
    """

    def __init__(
        self,
        model: str,
        *,
        wants_json: bool,
        placeholders: Placeholders | None,
        judgement: Judgement | None,
        private: bool,
    ) -> None:
        self._model = model
        self._judgement = judgement
        self._drops_tokens = judgement is not None and judgement.changes_texts
        # No method of its own: in a cycle, values would wait for the collector of garbage.
        self._texts = AnswerTexts(partial(_filter, placeholders, judgement, wants_json))
        self.private = private
        self.slow = judgement is not None and judgement.slow

    def whole(self, answer: Completion) -> Completion:
        """Return an answer as the caller is to have it.

        Raises:
            PiiDetected: It holds what he may not have.
        """
        try:
            answer = self._texts.whole(answer)
        finally:
            self._note()
        if not self._drops_tokens:
            return answer
        choices = [{**choice, "logprobs": None} for choice in answer.choices]
        return Completion({**answer.document, "choices": choices}, answer.usage)

    def piece(self, chunk: Chunk) -> Iterable[Chunk]:
        """Return what there is to say when another piece has come.

        Raises:
            PiiDetected: It holds what the caller may not have.
        """
        if self._drops_tokens and chunk.logprobs:
            chunk = msgspec.structs.replace(chunk, logprobs=None)
        try:
            return self._texts.piece(chunk)
        finally:
            self._note()

    def rest(self) -> Iterable[Chunk]:
        """Return what is left to say when no piece comes any more.

        Raises:
            PiiDetected: It holds what the caller may not have.
        """
        try:
            return list(self._texts.rest())
        finally:
            self._note()

    def settle(self, ending: Ending) -> None:  # noqa: ARG002 - whatever became of it
        """Tell what the model has said."""
        if self._judgement and self._judgement.counts:
            kinds = dict(self._judgement.counts)
            publish(PiiFound(pipeline=self._model, strategy="pii", kinds=kinds, answer=True))

    def _note(self) -> None:
        self.private = self.private or bool(self._judgement and self._judgement.counts)


def _filter(
    placeholders: Placeholders | None,
    judgement: Judgement | None,
    wants_json: bool,
    place: Place,
) -> Filter:
    """Return what a text of an answer passes."""
    json = place[-1] == "arguments" or (wants_json and place == ("content",))
    filters: list[Filter] = []
    if judgement:
        filters.append(judgement.screen(json=json))
    if placeholders:
        filters.append(Restoring(placeholders, json=json))
    return Chain(filters) if len(filters) > 1 else filters[0]
