"""Everybody who may embed for a model's name: several hosts of one and the same model."""

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final

from stormproof.providers.candidate import Candidate, Journey
from stormproof.providers.embeddings.request import EmbeddingRequest, Embeddings
from stormproof.providers.figures import Figures
from stormproof.providers.ladder import others_may
from stormproof.recovery import Deadline, Failover, FailoverOrder, Pipeline, TargetHealth


class EmbeddingLadder:
    """Embeds by the first rung that can, as a `Ladder` answers.

    Vectors of two models cannot be compared, though nobody would notice: all rungs must host the
    same one.

    Args:
        name: What clients call the model.
        rungs: Who hosts it, the best first.
        deadline: Seconds for everything together.
        order: How to choose among those that are healthy.
    """

    def __init__(
        self,
        name: str,
        rungs: Sequence[Candidate[EmbeddingRequest, Embeddings]],
        *,
        deadline: float = 600.0,
        order: FailoverOrder = FailoverOrder.LISTED,
    ) -> None:
        self.name: Final = name
        self._rungs = rungs
        first = rungs[0]
        targets = [rung.target(first=rung is first) for rung in rungs]
        self._failover = Failover(*targets, order=order, on=others_may, name=name)
        pipeline = Pipeline(Deadline(deadline), self._failover, name=name)
        self._embed = pipeline(first.complete)

    def health(self) -> tuple[TargetHealth, ...]:
        """Return what is known of each rung."""
        return self._failover.health()

    def figures(self) -> Mapping[str, Figures]:
        """Return what has become of the calls of each rung, by its name."""
        return {rung.name: rung.figures for rung in self._rungs}

    def embed(self, request: EmbeddingRequest, journey: Journey) -> Coroutine[Any, Any, Embeddings]:
        """Embed texts.

        Args:
            request: What is asked.
            journey: Where it is written down who was asked and who answered.

        Raises:
            StormproofError: While waiting: nobody could.
        """
        return self._embed(request, journey)
