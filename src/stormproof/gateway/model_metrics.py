"""What Prometheus reads at ``/metrics`` about models and those who may answer for them."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from stormproof.providers import EmbeddingLadder, Figures, Ladder

_WHO: Final = ("model", "rung")


class ModelMetrics(Collector):
    """The series of all ladders, read at the moment of a scrape.

    Args:
        ladders: Who answers now, by the names of models; of conversations, of embeddings.
    """

    def __init__(self, *ladders: Mapping[str, Ladder | EmbeddingLadder]) -> None:
        self._ladders = ladders

    def collect(self) -> Iterable[Metric]:
        """Report every series as it is now."""
        text = "Calls, by what became of them."
        calls = CounterMetricFamily("stormproof_model_calls", text, labels=(*_WHO, "outcome"))
        seconds = _histogram("call_seconds", "How long calls took that were answered.")
        first = _histogram("first_piece_seconds", "How long streams took to say something.")
        text = "Tokens that were counted."
        tokens = CounterMetricFamily("stormproof_model_tokens", text, labels=(*_WHO, "kind"))
        cost = CounterMetricFamily("stormproof_model_cost", "What they cost.", labels=_WHO)
        for who, figures in self._figures():
            for outcome, count in figures.outcomes.items():
                calls.add_metric((*who, outcome), count)
            seconds.add_metric(who, *figures.seconds.cumulative())
            first.add_metric(who, *figures.first_seconds.cumulative())
            tokens.add_metric((*who, "prompt"), figures.prompt_tokens)
            tokens.add_metric((*who, "completion"), figures.completion_tokens)
            cost.add_metric(who, figures.cost)
        yield from (calls, seconds, first, tokens, cost)

    def _figures(self) -> Iterator[tuple[tuple[str, str], Figures]]:
        for model, ladder in chain.from_iterable(kind.items() for kind in self._ladders):
            for rung, figures in ladder.figures().items():
                yield (model, rung), figures


def _histogram(name: str, text: str) -> HistogramMetricFamily:
    return HistogramMetricFamily(f"stormproof_model_{name}", text, labels=_WHO)
