"""One look at a server's ``/metrics``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from prometheus_client.parser import text_string_to_metric_families

from stormproof.errors import ProtocolError

Labels = frozenset[tuple[str, str]]

_LARGEST: Final = 1e15
"""What is greater counts nothing that there is."""


@dataclass(frozen=True, slots=True)
class Scrape:
    """The value of every series at one moment.

    Attributes:
        at: Seconds, on the clock of whoever looked.
        samples: Values by the name of the sample, and by labels.
    """

    at: float
    samples: Mapping[str, Mapping[Labels, float]]

    @classmethod
    def parse(cls, text: str, at: float) -> Self:
        """Read Prometheus's text format.

        Raises:
            ProtocolError: It is something else.
        """
        samples: dict[str, dict[Labels, float]] = {}
        try:
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    if abs(sample.value) < _LARGEST:  # not true of NaN either
                        values = samples.setdefault(sample.name, {})
                        values[frozenset(sample.labels.items())] = sample.value
        except Exception as error:  # the parser was not written for bytes that mean something else
            raise ProtocolError(reason="the server's metrics cannot be read") from error
        return cls(at, samples)

    def value(self, name: str) -> float:
        """Return a series, summed over its labels; 0 if there is none."""
        return sum(self.samples.get(name, {}).values())

    def by(self, name: str, label: str) -> dict[str, float]:
        """Return a series by one of its labels, without zeros."""
        found: dict[str, float] = {}
        for labels, value in self.samples.get(name, {}).items():
            key = dict(labels).get(label, "")
            found[key] = found.get(key, 0.0) + value
        return {key: value for key, value in found.items() if value}

    def since(self, earlier: Self, name: str) -> float:
        """Return by how much a counter has grown; one that fell began anew in between."""
        before, now = earlier.value(name), self.value(name)
        return now - before if now >= before else now
