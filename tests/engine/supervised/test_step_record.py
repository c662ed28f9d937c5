"""What a process is reading can be read by another one."""

import os
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

import pytest

from stormproof.engine.supervised.step_record import Reading, StepRecord


@pytest.fixture
def file() -> Iterator[BinaryIO]:
    with tempfile.TemporaryFile() as file:
        yield file


def test_a_reader_sees_what_the_writer_wrote_last(file: BinaryIO) -> None:
    reader = StepRecord.create(file.fileno(), most=2)
    writer = StepRecord(file.fileno())
    assert reader.read() == []
    readings = [Reading(7, 0, 512), Reading(8, 40, 41)]
    writer.write(readings)
    assert reader.read() == readings
    writer.clear()
    assert reader.read() == []
    for record in (reader, writer):
        record.close()


@pytest.mark.parametrize("most", [1, 20_000])
def test_it_has_room_for_all_who_may_take_part(file: BinaryIO, most: int) -> None:
    record = StepRecord.create(file.fileno(), most)
    everybody = [Reading(number, 0, 1) for number in range(most)]
    record.write(everybody)
    assert record.read() == everybody
    record.close()


@pytest.mark.parametrize("count", [b"\xff" * 8, (4).to_bytes(8, "little")])
def test_a_damaged_record_accuses_nobody(file: BinaryIO, count: bytes) -> None:
    record = StepRecord.create(file.fileno(), most=3)
    os.pwrite(file.fileno(), count, 0)
    assert record.read() == []
    record.close()
