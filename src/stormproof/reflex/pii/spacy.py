"""Names of people and places, found by what a text says; needs the extra ``stormproof[ner]``."""

from collections.abc import Sequence
from threading import Lock
from typing import Final

try:
    import spacy
except ModuleNotFoundError as error:
    hint = "SpacyNames needs the extra: pip install 'stormproof[ner]'"
    raise ModuleNotFoundError(hint, name=error.name) from error

from stormproof.errors import ConfigurationError
from stormproof.reflex.pii.finding import Finding, Kind

_KINDS: Final = {
    **dict.fromkeys(("PERSON", "PER", "PRS", "persName"), Kind.PERSON),
    **dict.fromkeys(("GPE", "LOC", "FAC", "GPE_LOC", "placeName", "geogName"), Kind.PLACE),
}
"""What models call them, by the corpora that they were trained on."""


class SpacyNames:
    """Finds names by a model of spaCy's: about 20 ms for a thousand characters.

    Args:
        model: A package that is installed, or a folder.

    Raises:
        ConfigurationError: There is none of that name, or it recognises no names.
    """

    def __init__(self, model: str = "en_core_web_sm") -> None:
        try:
            self._model = spacy.load(model)
        except OSError as error:
            reason = f"there is no model {model!r}: python -m spacy download {model}"
            raise ConfigurationError(reason=reason) from error
        if "ner" not in self._model.pipe_names:
            raise ConfigurationError(reason=f"the model {model!r} recognises no names")
        feeding = [
            name
            for name, pipe in self._model.pipeline
            if "ner" in getattr(pipe, "listening_components", ())
        ]
        self._model.select_pipes(enable=[*feeding, "ner"])
        self._one_at_a_time = Lock()

    def find(self, text: str) -> Sequence[Finding]:
        """Return the names in a text, in their order; no two overlap."""
        # What a model learns of words it would keep for good.
        with self._one_at_a_time, self._model.memory_zone():
            return [
                Finding(_KINDS[name.label_], name.start_char, name.end_char)
                for name in self._model(text).ents
                if name.label_ in _KINDS
            ]
