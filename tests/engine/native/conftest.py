"""What tests of the native step share."""

from pathlib import Path

import pytest

from stormproof.engine.checkpoints.checkpoint import Checkpoint, open_checkpoint
from stormproof.engine.native.compiler import CannotCompile
from stormproof.engine.native.library import NativeLibrary, native_library


@pytest.fixture(scope="session")
def library() -> NativeLibrary:
    """The native library; compiling it takes most of a minute, once for these sources."""
    try:
        return native_library()
    except CannotCompile as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def checkpoint(model_path: Path) -> Checkpoint:
    """SmolLM2."""
    return open_checkpoint(model_path)
