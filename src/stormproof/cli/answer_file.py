"""A file of answers: every line that was appended stays, whatever happens to the process."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from stormproof.cli.answer_line import START, AnswerLine, Mark
from stormproof.cli.answered import Answered
from stormproof.errors import Conflict

_MAX_LINE_BYTES: Final = 64 << 20
_STDOUT: Final = 1


class AnswerFile:
    """Where answers are appended.

    Args:
        descriptor: An open file.
        answered: What it holds already.
    """

    def __init__(self, descriptor: int, answered: Answered) -> None:
        self.answered = answered
        self._descriptor = descriptor
        # Pipes and devices keep nothing, and refuse to be asked to.
        self._durable = stat.S_ISREG(os.fstat(descriptor).st_mode)

    def append(self, answers: Sequence[AnswerLine]) -> None:
        """Write answers, and return once the disk has them.

        Raises:
            OSError: It cannot; the last line may be torn.
        """
        rest = memoryview(b"".join(answer.encode() for answer in answers))
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        if self._durable:
            os.fsync(self._descriptor)


@contextmanager
def open_answers(path: Path | None) -> Iterator[AnswerFile]:
    """Open a file to go on with it; what a killed process left of its last line is cut off.

    Args:
        path: The file, made if it is not there; None for standard output.

    Raises:
        Conflict: It holds something else, or another process is writing to it.
        OSError: It cannot be read and written.
    """
    if path is None:
        yield AnswerFile(_STDOUT, Answered())
    elif path.exists() and not path.is_file():
        with path.open("wb", buffering=0) as device:
            yield AnswerFile(device.fileno(), Answered())
    else:
        # In this order: the lock would make folders that are not there.
        with path.open("ab", buffering=0) as file, _locked(path):
            answered, whole = _scan(path)
            file.truncate(whole)
            _keep_entry(path.parent)
            yield AnswerFile(file.fileno(), answered)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        with FileLock(f"{path}.lock", blocking=False):
            yield
    except Timeout:
        raise Conflict(reason=f"another process is writing to {path.name}") from None


def _scan(path: Path) -> tuple[Answered, int]:
    """Read what was written; also return how many bytes of it are whole lines."""
    answered, whole = Answered(), 0
    with path.open("rb") as file:
        while line := file.readline(_MAX_LINE_BYTES):
            try:
                if _is_torn(line):
                    break
                answered.add(Mark.parse(line))
            except ValueError:
                reason = f"{path.name} holds something else than answers; choose another --out"
                raise Conflict(reason=reason) from None
            whole += len(line)
    return answered, whole


def _is_torn(line: bytes) -> bool:
    """Say whether this is the beginning of a line of ours.

    Raises:
        ValueError: It is the beginning of something else, which may be precious.
    """
    if line.endswith(b"\n"):
        return False
    if len(line) < _MAX_LINE_BYTES and (line.startswith(START) or START.startswith(line)):
        return True
    raise ValueError("no line of a file of answers")


def _keep_entry(folder: Path) -> None:
    """Have the disk know that the file exists, where folders can be told to."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
