"""However a matrix is stored, and whatever it becomes, it multiplies as it should."""

import numpy as np
import numpy.typing as npt
import pytest
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import quantize

from stormproof.engine.checkpoints.stored_tensor import StoredTensor
from stormproof.engine.native.library import NativeLibrary
from stormproof.engine.native.packer import Packer
from stormproof.engine.native.structures import Packed
from stormproof.engine.settings import DType
from support.stored_tensors import stored_tensor

Numbers = npt.NDArray[np.float32]
ROWS, COLS = 48, 64
NUMBERS: Numbers = np.random.default_rng(0).standard_normal((ROWS, COLS), np.float32)


def stored(encoding: str, rows: int = ROWS) -> StoredTensor:
    kind = GGMLQuantizationType[encoding]
    octets = np.ascontiguousarray(quantize(NUMBERS[:rows], kind)).reshape(-1).view(np.uint8)
    return stored_tensor(kind, (rows, COLS), octets)


def packed_bytes(packer: Packer, packed: Packed, *tensors: StoredTensor) -> bytes:
    rows = sum(tensor.shape[0] for tensor in tensors)
    room = np.zeros(packer.size(packed, rows, tensors[0].shape[1]), np.uint8)
    first = 0
    for tensor in tensors:
        packer.pack(tensor, packed, room.ctypes.data, first)
        first += tensor.shape[0]
    return room.tobytes()


@pytest.mark.parametrize(
    ("dtype", "encodings", "expected"),
    [
        ("auto", ["Q4_1"], Packed.Q4),
        ("auto", ["Q4_0", "Q4_1"], Packed.Q4),
        ("auto", ["Q8_0"], Packed.Q8),
        ("auto", ["BF16"], Packed.Q8),
        ("auto", ["Q5_0"], Packed.Q8),
        ("auto", ["Q4_1", "Q8_0"], Packed.Q8),
        ("int4", ["F16"], Packed.Q4),
        ("int4", ["Q8_0"], Packed.Q8),
        ("float32", ["Q4_1"], Packed.F32),
        ("bfloat16", ["F32", "Q8_0"], Packed.BF16),
    ],
)
def test_the_format_is_the_one_that_loses_next_to_nothing(
    library: NativeLibrary, dtype: DType, encodings: list[str], expected: Packed
) -> None:
    tensors = [stored(encoding) for encoding in encodings]
    assert Packer(library, dtype).format(tensors) is expected


@pytest.mark.parametrize("encoding", ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q8_0"])
@pytest.mark.parametrize("packed", [Packed.F32, Packed.F16, Packed.BF16, Packed.Q8])
def test_any_encoding_becomes_any_format(
    library: NativeLibrary, encoding: str, packed: Packed
) -> None:
    """It is packed as the same numbers are, given in float32; quantised ones byte for byte."""
    packer = Packer(library, "auto")
    plain = StoredTensor.of(stored(encoding).numbers())
    assert packed_bytes(packer, packed, stored(encoding)) == packed_bytes(packer, packed, plain)


@pytest.mark.parametrize("encoding", ["Q3_K", "Q4_K", "Q5_K", "Q6_K"])
def test_what_the_kernels_do_not_know_becomes_8_bits(library: NativeLibrary, encoding: str) -> None:
    kind = GGMLQuantizationType[encoding]
    numbers, octets = GGML_QUANT_SIZES[kind]
    content = np.random.default_rng(2).integers(1, 0x33, 16 * octets).astype(np.uint8)
    whole = stored_tensor(kind, (16, numbers), content)
    packer = Packer(library, "auto")
    assert packer.format([whole]) is Packed.Q8
    plain = StoredTensor.of(whole.numbers())
    assert np.isfinite(plain.numbers()).all()
    assert packed_bytes(packer, Packed.Q8, whole) == packed_bytes(packer, Packed.Q8, plain)


def test_rows_are_packed_by_several_calls_as_by_one(library: NativeLibrary) -> None:
    packer = Packer(library, "auto")
    whole = stored("Q4_1")
    parts = [whole.rows(0, 32), whole.rows(32, 16)]
    assert packed_bytes(packer, Packed.Q4, *parts) == packed_bytes(packer, Packed.Q4, whole)


def test_bfloat16_is_rounded_to_the_nearest(library: NativeLibrary) -> None:
    packer = Packer(library, "bfloat16")
    nearest = StoredTensor.of(stored("BF16").numbers())
    assert packed_bytes(packer, Packed.BF16, StoredTensor.of(NUMBERS)) == packed_bytes(
        packer, Packed.BF16, nearest
    )


@pytest.mark.parametrize("bits", [0x7F800001, 0x7FFFFFFF, 0xFFFFFFFF])
def test_what_is_not_a_number_becomes_none_of_16_bits(library: NativeLibrary, bits: int) -> None:
    """Whichever of the many that are none it is."""
    numbers = NUMBERS.copy()
    numbers.view(np.uint32)[0, 0] = bits
    packed = packed_bytes(Packer(library, "bfloat16"), Packed.BF16, StoredTensor.of(numbers))
    first = np.frombuffer(packed, np.uint16)[:1].astype(np.uint32) << 16
    assert np.isnan(first.view(np.float32)).all()


@pytest.mark.parametrize("dtype", ["auto", "int4"])
@pytest.mark.parametrize("where", [0, 31])
def test_what_is_not_a_number_becomes_none(
    library: NativeLibrary, dtype: DType, where: int
) -> None:
    """So that a damaged model gives no answers, rather than wrong ones."""
    numbers = NUMBERS.copy()
    numbers[3, 32 + where] = np.nan
    packer = Packer(library, dtype)
    tensor = StoredTensor.of(numbers)
    packed = packer.format([tensor])
    scales = np.frombuffer(packed_bytes(packer, packed, tensor), np.float16).reshape(ROWS // 16, -1)
    groups = {Packed.Q8: scales[0, -2 * 16 :], Packed.Q4: scales[0, 160 + 128 : 160 + 144]}
    found = np.isnan(groups[packed][-16:])
    assert found.tolist() == [row == 3 for row in range(16)]
