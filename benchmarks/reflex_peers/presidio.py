"""Presidio: its patterns, and its patterns with a model that finds names."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from engine_peers import Missing
from engine_peers.process import BUILD, EngineProcess
from reflex_peers.searcher import Search
from stormproof.reflex.pii.finding import Finding, Kind

VARIABLE: Final = "STORMPROOF_BENCH_PRESIDIO_PYTHON"
_WORKER: Final = Path(__file__).with_name("presidio_worker.py")
_NUMBERS: Final = {
    "AU_TFN": Kind.TAX_NUMBER,
    "CA_SIN": Kind.NATIONAL_ID,
    "DE_TAX_ID": Kind.TAX_NUMBER,
    "ES_NIE": Kind.NATIONAL_ID,
    "ES_NIF": Kind.NATIONAL_ID,
    "FI_PERSONAL_IDENTITY_CODE": Kind.NATIONAL_ID,
    "IN_AADHAAR": Kind.NATIONAL_ID,
    "IN_PAN": Kind.TAX_NUMBER,
    "IT_FISCAL_CODE": Kind.TAX_NUMBER,
    "KR_RRN": Kind.NATIONAL_ID,
    "PL_PESEL": Kind.NATIONAL_ID,
    "SE_PERSONNUMMER": Kind.NATIONAL_ID,
    "SG_NRIC_FIN": Kind.NATIONAL_ID,
    "TH_TNIN": Kind.NATIONAL_ID,
    "TR_NATIONAL_ID": Kind.NATIONAL_ID,
    "UK_NHS": Kind.NATIONAL_ID,
    "UK_NINO": Kind.NATIONAL_ID,
    "US_ITIN": Kind.TAX_NUMBER,
    "US_SSN": Kind.NATIONAL_ID,
    "ZA_ID_NUMBER": Kind.NATIONAL_ID,
}
_KINDS: Final = {
    **_NUMBERS,
    "EMAIL_ADDRESS": Kind.EMAIL,
    "PHONE_NUMBER": Kind.PHONE,
    "CREDIT_CARD": Kind.CARD,
    "IBAN_CODE": Kind.IBAN,
    "IP_ADDRESS": Kind.IP_ADDRESS,
    "MAC_ADDRESS": Kind.MAC_ADDRESS,
    "CRYPTO": Kind.CRYPTO_WALLET,
    "PERSON": Kind.PERSON,
    "LOCATION": Kind.PLACE,
}
"""What its entities are here; of others nothing is labelled, and they count for nothing."""

KINDS: Final = frozenset(_KINDS.values())
"""What it has entities for."""

PATTERNS: Final = "Presidio, patterns"
COUNTRIES: Final = "Presidio, patterns of all countries"
NER: Final = "Presidio with NER"
_ARGUMENTS: Final = {
    PATTERNS: ("patterns",),
    COUNTRIES: ("patterns", *_NUMBERS),
    NER: ("ner",),
}


class Presidio:
    """Presidio in a process of its own; to be closed.

    Args:
        name: Which one: as it comes, with what it has for numbers of all countries, or with a
            model that finds names.

    Raises:
        Missing: It is not installed.
    """

    def __init__(self, name: str) -> None:
        python = Path(os.environ.get(VARIABLE, BUILD / "peers/presidio/bin/python"))
        if not python.exists():
            raise Missing(f"no {python}; see {VARIABLE}")
        self.name: Final = name
        command = [str(python), str(_WORKER), *_ARGUMENTS[name]]
        self._process = EngineProcess(name, command, {}, piped=True)

    def search(self, texts: Sequence[str]) -> Sequence[Search]:
        """Return what is found in each text, and how long that took."""
        orders, answers = self._process.pipes
        orders.write(json.dumps(texts).encode() + b"\n")
        orders.flush()
        line = answers.readline()
        if not line:
            raise RuntimeError(f"{self.name} has ended; see {self._process.log}")
        return [Search(_findings(found), seconds) for found, seconds in json.loads(line)]

    def close(self) -> None:
        self._process.stop()


def _findings(found: Sequence[tuple[str, int, int]]) -> list[Finding]:
    return [Finding(_KINDS[entity], start, end) for entity, start, end in found if entity in _KINDS]
