"""What a process is reading can be read by another one."""

import tempfile

from stormproof.engine.supervised.step_record import Reading, StepRecord


def test_a_reader_sees_what_the_writer_wrote_last() -> None:
    with tempfile.TemporaryFile() as file:
        reader = StepRecord.create(file.fileno())
        writer = StepRecord(file.fileno())
        assert reader.read() == []
        readings = [Reading(7, 0, 512), Reading(8, 40, 41)]
        writer.write(readings)
        assert reader.read() == readings
        writer.clear()
        assert reader.read() == []
        for record in (reader, writer):
            record.close()


def test_a_damaged_record_accuses_nobody() -> None:
    with tempfile.TemporaryFile() as file:
        record = StepRecord.create(file.fileno())
        file.seek(0)
        file.write(b"\xff" * 64)
        file.flush()
        assert record.read() == []
        record.close()
