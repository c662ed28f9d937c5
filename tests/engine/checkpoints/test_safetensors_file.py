"""A safetensors file is read as the library of that name writes it; a hostile one is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stormproof.engine.checkpoints.loading import Unusable
from stormproof.engine.checkpoints.safetensors_file import SafetensorsFile

NUMBERS = torch.randn((4, 6), generator=torch.Generator().manual_seed(0))
ENTRY = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}


def write(path: Path, header: Any, data: bytes = bytes(16)) -> SafetensorsFile:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return SafetensorsFile(path)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_what_the_library_wrote_is_read(tmp_path: Path, dtype: torch.dtype) -> None:
    tensors = {"a": NUMBERS.to(dtype), "b": NUMBERS[0].to(dtype, copy=True)}
    save_file(tensors, tmp_path / "x.safetensors", metadata={"format": "pt"})
    opened = SafetensorsFile(tmp_path / "x.safetensors")
    assert opened.names == {"a", "b"}
    for name, tensor in tensors.items():
        assert opened.tensor(name).shape == tuple(tensor.shape)
        assert np.array_equal(opened.tensor(name).numbers(), tensor.float().numpy())


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"{", "damaged"),
        (b"[]", "damaged"),
        (b"\xff\xfe", "damaged"),
        (b"[" * 100_000, "damaged"),
    ],
)
def test_a_header_that_is_none_is_refused(tmp_path: Path, header: bytes, reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        write(tmp_path / "x", header)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({}, "is not described"),
        ([], "is not described"),
        (ENTRY | {"data_offsets": [0]}, "is not described"),
        (ENTRY | {"dtype": "F8_E4M3"}, "unsupported kind: 'F8_E4M3'"),
        (ENTRY | {"shape": []}, "empty, or has too many dimensions"),
        (ENTRY | {"shape": [1] * 9}, "empty, or has too many dimensions"),
        (ENTRY | {"shape": [-2, -2]}, "empty, or has too many dimensions"),
        (ENTRY | {"shape": [4.0]}, "empty, or has too many dimensions"),
        (ENTRY | {"shape": [1 << 40, 1 << 40]}, "does not lie inside x"),
        (ENTRY | {"data_offsets": [-16, 0]}, "does not lie inside x"),
        (ENTRY | {"data_offsets": [8, 24]}, "does not lie inside x"),
        (ENTRY | {"data_offsets": [0, 8]}, "does not lie inside x"),
    ],
)
def test_a_tensor_that_cannot_be_is_refused(tmp_path: Path, entry: Any, reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        write(tmp_path / "x", {"a": entry}).tensor("a")


@pytest.mark.parametrize("content", [b"1234567", b"\xff" * 8, b"\xff\xff\x00\x00\x00" * 8])
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(Unusable, match="cut short"):
        SafetensorsFile(path)
