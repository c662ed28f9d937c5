"""The worker keeps nobody waiting for what others ask."""

import itertools
import socket
import tempfile
from collections.abc import Sequence
from typing import Any

import pytest

from stormproof.engine.sampling.params import SamplingParams
from stormproof.engine.scheduling.scheduler import Chunk
from stormproof.engine.scheduling.urgency import USUAL
from stormproof.engine.supervised.messages import Add, Stepped
from stormproof.engine.supervised.step_record import StepRecord
from stormproof.engine.supervised.wire import encode
from stormproof.engine.supervised.worker import Link, Worker
from support.scripted_engine import make_core


class Heard(Link):
    """A link whose server leaves after some reports."""

    def __init__(self, server: socket.socket, reports: int) -> None:
        super().__init__(server)
        self.reports: list[Stepped] = []
        self._most = reports

    def send(self, message: object) -> None:
        assert isinstance(message, Stepped)
        self.reports.append(message)
        if len(self.reports) == self._most:
            raise EOFError


def test_commands_that_take_long_do_not_hold_up_steps() -> None:
    """Each takes a second, as a hostile grammar may: those who were first get a token between."""
    seconds = itertools.count()
    ours, theirs = socket.socketpair()
    with ours, theirs, tempfile.TemporaryFile() as file:
        for number in range(3):
            theirs.sendall(encode(Add(number, [1], SamplingParams(ignore_eos=True), USUAL)))
        link = Heard(ours, reports=4)
        record = StepRecord.create(file.fileno(), most=32)
        core = make_core(num_blocks=512)
        with pytest.raises(EOFError):
            Worker(core, link, record, clock=lambda: next(seconds)).run()
        record.close()
    assert [len(report.pieces) for report in link.reports] == [1, 2, 3, 3]


def test_reports_are_no_more_frequent_than_anybody_can_read() -> None:
    """The first token is told at once; then, forty times a second, whatever there is."""
    milliseconds = itertools.count()
    ours, theirs = socket.socketpair()
    with ours, theirs, tempfile.TemporaryFile() as file:
        theirs.sendall(encode(Add(0, [1], SamplingParams(ignore_eos=True), USUAL)))
        link = Heard(ours, reports=4)
        record = StepRecord.create(file.fileno(), most=32)
        core = make_core(num_blocks=512)
        with pytest.raises(EOFError):
            Worker(core, link, record, clock=lambda: next(milliseconds) / 1000).run()
        record.close()
    tokens = [len(report.pieces) for report in link.reports]
    assert tokens[0] == 1
    assert min(tokens[1:]) > 1
    assert sum(tokens) == link.reports[-1].stats.generated_tokens


def test_what_is_there_is_told_before_anything_that_may_take_long() -> None:
    """A token waits for no grammar of somebody else."""
    milliseconds = itertools.count()
    ours, theirs = socket.socketpair()
    with ours, theirs, tempfile.TemporaryFile() as file:
        theirs.sendall(encode(Add(0, [1], SamplingParams(ignore_eos=True), USUAL)))
        link = Heard(ours, reports=3)
        record = StepRecord.create(file.fileno(), most=32)
        core = make_core(num_blocks=512)
        later = [Add(1, [2], SamplingParams(), USUAL)]
        told: list[int] = []

        def asked_amid_steps(_: Sequence[Chunk]) -> None:
            if later and core.stats().steps == 3:
                theirs.sendall(encode(later.pop()))

        add = core.add

        def note_what_was_told(*args: Any, **options: Any) -> int:
            told.append(sum(len(report.pieces) for report in link.reports))
            return add(*args, **options)

        worker = Worker(core, link, record, clock=lambda: next(milliseconds) / 1000)
        core.observe(asked_amid_steps)
        core.add = note_what_was_told  # type: ignore[method-assign]
        with pytest.raises(EOFError):
            worker.run()
        record.close()
    assert told == [0, 4]
