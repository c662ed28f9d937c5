"""No gateway at all: what the provider and the client cost by themselves."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from gateway_peers.client import request
from gateway_peers.gateway import Model, body


class Direct:
    """Clients who ask the provider themselves."""

    name: Final = "nothing between"

    def start(self, models: Sequence[Model], cores: Sequence[int]) -> None:
        """Do nothing: the provider has started already."""

    def port(self, model: Model) -> int:
        """Return where a model is asked for."""
        return urlsplit(model.urls[0]).port or 0

    def request(self, model: Model, *, stream: bool) -> bytes:
        """Return the request for an answer of a model, as it is sent."""
        path = urlsplit(model.urls[0]).path
        return request(body(model, stream=stream), {}, f"{path}/chat/completions")

    def pause(self) -> None:
        """Do nothing: it is no process."""

    resume = stop = pause

    def memory(self) -> int:
        """Return nothing."""
        return 0

    processor_seconds = memory
