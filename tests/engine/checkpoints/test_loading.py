"""Whatever fails while a model loads is one error, and tells nothing of where the model lies."""

import pytest

from stormproof.engine.checkpoints.loading import Unusable, loading
from stormproof.errors import ModelLoadError, OutOfBlocks, OutOfMemory

PATH = "/home/somebody/secret/model.gguf"


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (Unusable("it is a mixture of experts"), "it is a mixture of experts"),
        (FileNotFoundError(2, "No such file", PATH), "a file of it does not exist"),
        (PermissionError(13, "Permission denied", PATH), "its files may not be read"),
        (OSError(5, "Input/output error", PATH), "its files cannot be read: Input/output error"),
        (ValueError(f"bad {PATH}"), "the file is damaged, or it is not a model"),
        (KeyError("x"), "the file is damaged, or it is not a model"),
        (RecursionError(), "the file is damaged, or it is not a model"),
    ],
)
def test_a_failure_becomes_one_error(failure: Exception, reason: str) -> None:
    with pytest.raises(ModelLoadError) as caught, loading("model.gguf"):
        raise failure
    assert (caught.value.model, caught.value.reason) == ("model.gguf", reason)
    assert caught.value.__cause__ is failure
    assert PATH not in str(caught.value)


def test_a_panic_in_a_parser_is_a_failure_like_any_other() -> None:
    panic = type("PanicException", (BaseException,), {})
    with pytest.raises(ModelLoadError), loading("model.gguf"):
        raise panic


def test_exhausted_memory_is_not_the_model_s_fault() -> None:
    with pytest.raises(OutOfMemory), loading("model.gguf"):
        raise MemoryError


def test_our_own_errors_pass() -> None:
    with pytest.raises(OutOfBlocks), loading("model.gguf"):
        raise OutOfBlocks(needed=1, free=0)


def test_an_interrupt_passes() -> None:
    with pytest.raises(KeyboardInterrupt), loading("model.gguf"):
        raise KeyboardInterrupt
