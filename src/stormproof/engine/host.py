"""What runs an engine for `AsyncLLM`."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Protocol

from stormproof.engine.checkpoints.architecture import ModelConfig
from stormproof.engine.mailbox import Mailbox
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.request_limits import RequestLimits
from stormproof.engine.scheduling.urgency import Urgency
from stormproof.engine.stats import EngineStats
from stormproof.engine.tokens.tokenizer import Tokenizer
from stormproof.errors import StormproofError


class EngineHost(Protocol):
    """An engine at work: in a thread here, or in a process under supervision."""

    @property
    def model(self) -> ModelConfig:
        """The model's architecture."""
        ...

    @property
    def tokenizer(self) -> Tokenizer:
        """Text to tokens and back."""
        ...

    @property
    def limits(self) -> RequestLimits:
        """What can be answered at all."""
        ...

    @property
    def alive(self) -> bool:
        """Whether a step finished lately, or nothing waits, or that is being mended."""
        ...

    @property
    def ready(self) -> bool:
        """Whether a request sent now would be answered without delay."""
        ...

    @property
    def stats(self) -> EngineStats:
        """The numbers as they were after the last step."""
        ...

    def submit(
        self, mailbox: Mailbox, prompt: Sequence[int], params: SamplingParams, urgency: Urgency
    ) -> None:
        """Have a request answered into a mailbox; a refusal may go there as well.

        Raises:
            CapacityExceeded: Too many requests are open.
            ServiceUnavailable: The engine is gone, and does not come back by itself.
        """
        ...

    def cancel(self, mailbox: Mailbox) -> None:
        """Give up the request of a mailbox, if it has not ended; never raises."""
        ...

    def fail_all(self, make_error: Callable[[], StormproofError]) -> None:
        """End every stream with an error, at once and from any thread, whatever the engine does.

        Args:
            make_error: Makes the error of one stream; raising one object in many places would mix
                their tracebacks.
        """
        ...

    def when_idle(self) -> Future[None]:
        """Return a future that is done once no request is left."""
        ...

    def stop(self) -> None:
        """End the engine, which answers nobody any more."""
        ...
