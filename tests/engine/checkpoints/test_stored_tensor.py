"""A stored tensor can be cut, reordered and turned over without being dequantised or read."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from gguf import GGMLQuantizationType
from gguf.quants import quantize

from stormproof.engine.checkpoints.loading import Unusable
from stormproof.engine.checkpoints.stored_tensor import StoredTensor
from support.stored_tensors import stored_tensor

Numbers = npt.NDArray[np.float32]
NUMBERS: Numbers = np.random.default_rng(0).standard_normal((6, 64), np.float32)
PLAIN = ["F32", "F16", "BF16"]
ENCODINGS = [*PLAIN, "Q4_0", "Q4_1", "Q8_0"]


def stored(encoding: str) -> StoredTensor:
    kind = GGMLQuantizationType[encoding]
    octets = np.ascontiguousarray(quantize(NUMBERS, kind)).reshape(-1).view(np.uint8)
    return stored_tensor(kind, NUMBERS.shape, octets)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda tensor: tensor.rows(2, 3), lambda numbers: numbers[2:5]),
        (lambda tensor: tensor.part(1, of=3), lambda numbers: numbers[2:4]),
        (lambda tensor: tensor.plus_one(), lambda numbers: numbers + 1),
        (
            lambda tensor: tensor.reordered(np.array([5, 0, 3])),
            lambda numbers: numbers[[5, 0, 3]],
        ),
        (lambda tensor: tensor.rows(1, 4).rows(1, 2), lambda numbers: numbers[2:4]),
    ],
)
def test_rows_are_moved_as_they_are_stored(
    encoding: str,
    change: Callable[[StoredTensor], StoredTensor],
    same: Callable[[Numbers], Numbers],
) -> None:
    changed, expected = change(stored(encoding)), same(stored(encoding).numbers())
    assert changed.shape == expected.shape
    assert np.array_equal(changed.numbers(), expected)


@pytest.mark.parametrize("encoding", PLAIN)
def test_numbers_that_are_not_quantised_can_be_transposed(encoding: str) -> None:
    turned = stored(encoding).transposed()
    assert turned.shape == (64, 6)
    assert turned.encoding is stored(encoding).encoding
    assert np.array_equal(turned.numbers(), stored(encoding).numbers().T)


def test_each_number_of_a_vector_is_a_row() -> None:
    vector = StoredTensor.of(np.arange(4, dtype=np.float32))
    assert vector.reordered(np.array([3, 1])).numbers().tolist() == [3.0, 1.0]
    assert vector.part(1, of=2).numbers().tolist() == [2.0, 3.0]


def test_nothing_is_read_before_it_is_needed() -> None:
    def read(first: int, count: int) -> npt.NDArray[np.uint8]:
        raise AssertionError

    tensor = StoredTensor(GGMLQuantizationType.F32, (4, 8), read)
    tensor.rows(1, 2).reordered(np.array([1, 0])).transposed().plus_one()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda tensor: tensor.rows(10, 20).rows(5, 10), (15, 10)),
        (lambda tensor: tensor.part(3, of=4), (75, 25)),
        (lambda tensor: tensor.reordered(np.arange(99, -1, -1)).rows(20, 5), (75, 5)),
        (lambda tensor: tensor.plus_one().rows(40, 5), (40, 5)),
    ],
)
def test_no_more_is_read_than_is_needed(
    change: Callable[[StoredTensor], StoredTensor], expected: tuple[int, int]
) -> None:
    """A large matrix is packed in pieces; none of them costs as much as the whole."""
    reads: list[tuple[int, int]] = []

    def read(first: int, count: int) -> npt.NDArray[np.uint8]:
        reads.append((first, count))
        return np.zeros(4 * count, np.uint8)

    change(StoredTensor(GGMLQuantizationType.F32, (100, 1), read)).numbers()
    assert reads == [expected]


def test_an_unsupported_encoding_is_refused_by_name() -> None:
    octets = np.zeros(64, np.uint8)
    with pytest.raises(Unusable, match="encoding I8 is not supported"):
        stored_tensor(GGMLQuantizationType.I8, (1, 64), octets).numbers()
