"""transformers: ``generate`` in bfloat16, on one padded batch."""

import sys
from collections.abc import Iterator

from engine_peers.engine import Engine
from engine_peers.library_engine import LibraryEngine
from engine_peers.models import hugging_face


def engines() -> Iterator[Engine]:
    """The one way to run it."""
    yield LibraryEngine("transformers", sys.executable, "transformers", hugging_face())
