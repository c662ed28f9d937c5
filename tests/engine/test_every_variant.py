"""Each error that an engine must tell apart is raised by the situation it is made for."""

import json
import math
from pathlib import Path

import pytest
import torch

from stormproof.engine.checkpoints.checkpoint import open_checkpoint
from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.blocks import BlockAllocator
from stormproof.engine.scheduling.sequence import FinishReason, Sequence, SequenceState
from stormproof.engine.settings import EngineConfig
from stormproof.engine.tokens.tokenizer import Tokenizer
from stormproof.errors import (
    ConfigurationError,
    InvalidStateTransition,
    ModelLoadError,
    OutOfBlocks,
    SequenceNotFound,
    SerializationError,
    StorageError,
    TensorError,
    TokenizationError,
    translate,
)
from support.byte_tokenizer import VOCAB
from support.scripted_engine import make_core


def test_out_of_blocks() -> None:
    """More blocks are taken than there are."""
    with pytest.raises(OutOfBlocks):
        BlockAllocator(4).allocate(5)


def test_sequence_not_found() -> None:
    """A request is given up twice."""
    core = make_core()
    number = core.add([65], SamplingParams(max_tokens=8))
    core.abort(number)
    with pytest.raises(SequenceNotFound):
        core.abort(number)


def test_invalid_state_transition() -> None:
    """What has ended is to run again."""
    sequence = Sequence(0, [1], SamplingParams())
    sequence.transition(SequenceState.FINISHED)
    with pytest.raises(InvalidStateTransition):
        sequence.transition(SequenceState.RUNNING)


def test_model_load(tmp_path: Path) -> None:
    """A file is no model."""
    file = tmp_path / "model.gguf"
    file.write_bytes(b"this is not a model")
    with pytest.raises(ModelLoadError):
        open_checkpoint(file)


def test_tokenization() -> None:
    """A text holds a word that the vocabulary lacks, and nothing stands for unknown words."""
    model = {"type": "WordLevel", "vocab": {"storm": 0, "a": 1}, "unk_token": "?"}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    whole = {"version": "1.0", "added_tokens": [], "model": model}
    definition = json.dumps(whole | {"decoder": level | {"use_regex": False}})
    tokenizer = Tokenizer.from_json(definition, eos_ids=frozenset(), template=None, names={})
    assert tokenizer.encode("storm", special=False) == [0]
    with pytest.raises(TokenizationError):
        tokenizer.encode("calm", special=False)


def test_tensor() -> None:
    """The scores of the next token are not numbers."""
    core = make_core(lambda _: torch.full((VOCAB,), math.nan))
    core.add([65], SamplingParams(max_tokens=8))
    [(_, output)] = core.step()
    assert output.finish_reason is FinishReason.ERROR
    assert isinstance(output.error, TensorError)


def test_config() -> None:
    """Settings contradict each other."""
    with pytest.raises(ConfigurationError):
        EngineConfig(model="m", max_sequences=8, max_step_tokens=4)


def test_io(tmp_path: Path) -> None:
    """A file cannot be read; what broke the loading is an error of storage."""
    with pytest.raises(ModelLoadError) as caught:
        open_checkpoint(tmp_path / "nowhere.gguf")
    assert isinstance(caught.value.__cause__, OSError)
    assert isinstance(translate(caught.value.__cause__), StorageError)


def test_json(tmp_path: Path) -> None:
    """A model's description is not JSON; what broke the loading is an error of serialisation."""
    (tmp_path / "config.json").write_text("{", "utf-8")
    with pytest.raises(ModelLoadError) as caught:
        open_checkpoint(tmp_path)
    assert caught.value.__cause__ is not None
    reason = caught.value.__cause__.__cause__
    assert isinstance(reason, json.JSONDecodeError)
    assert isinstance(translate(reason), SerializationError)
