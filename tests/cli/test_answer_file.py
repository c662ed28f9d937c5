"""A file of answers keeps what was written, and goes on where it ended."""

import json
import threading
from io import BytesIO
from pathlib import Path

import pytest

from stormproof.cli import answer_file, answer_line
from stormproof.cli.answer_file import open_answers
from stormproof.cli.answer_line import AnswerLine
from stormproof.cli.prompt_lines import PromptLine, read_lines
from stormproof.engine import FinishReason, Output
from stormproof.errors import Conflict, InternalError

LINES = list(read_lines(BytesIO(b"a\nb\nc\nd\n"), b""))
DONE = Output(text="é\n", finish_reason=FinishReason.STOP, prompt_tokens=1, completion_tokens=2)


def answer(line: PromptLine) -> AnswerLine:
    return AnswerLine.of_output(line, line.number, DONE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with answers to the first and the third line."""
    path = tmp_path / "answers.jsonl"
    with open_answers(path) as file:
        file.append([answer(LINES[2])])
        file.append([answer(LINES[0])])
    return path


def missing(path: Path, lines: list[PromptLine] = LINES) -> list[int]:
    with open_answers(path) as file:
        return [line.number for line in file.answered.missing(lines)]


def test_a_line_of_output(path: Path) -> None:
    [first, _] = path.read_text("utf-8").splitlines()
    assert json.loads(first) == {
        "line": 3,
        "digest": f"{LINES[2].digest:016x}",
        "id": 3,
        "text": "é\n",
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }


def test_what_is_missing_is_known(path: Path) -> None:
    assert missing(path) == [2, 4]


def test_a_line_torn_anywhere_is_cut_off(path: Path) -> None:
    """Whatever part of the last line reached the disk, the lines before it count."""
    whole = path.read_bytes()
    line = answer(LINES[1]).encode()
    for length in range(len(line)):
        path.write_bytes(whole + line[:length])
        assert missing(path) == [2, 4]
        assert path.read_bytes() == whole
    path.write_bytes(whole + line)
    assert missing(path) == [4]


@pytest.mark.parametrize(
    "text",
    [
        b"My thesis\n",
        b"My thesis",
        b"{}\n",
        b"[]\n",
        b"1\n",
        b"\n",
        b"[" * 100_000 + b"\n",
        b"\xff\xfe\n",
        b'{"line": 0, "digest": "1"}\n',
        b'{"line": true, "digest": "1"}\n',
        b'{"line": 1, "digest": 1}\n',
        b'{"line": 1, "digest": "-1"}\n',
        b'{"line": 1, "digest": "0"}\n',
        b'{"line": 1, "digest": "' + b"f" * 17 + b'"}\n',
        b'{"line": 100000000000, "digest": "1"}\n',
    ],
)
def test_a_file_of_something_else_is_left_alone(path: Path, text: bytes) -> None:
    whole = path.read_bytes() + text
    path.write_bytes(whole)
    with pytest.raises(Conflict, match="something else"):
        missing(path)
    assert path.read_bytes() == whole


def test_a_line_without_bounds_is_no_torn_answer(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_file, "_MAX_LINE_BYTES", 200)
    path.write_bytes(answer_line.START * 100)
    with pytest.raises(Conflict, match="something else"):
        missing(path)


def test_answers_to_another_input_are_refused(path: Path) -> None:
    others = list(read_lines(BytesIO(b"a\nb\nC\nd\n"), b""))
    with pytest.raises(Conflict, match="another line 3"):
        missing(path, others)


def test_answers_made_with_other_options_are_refused(path: Path) -> None:
    """The options are the key of the digests."""
    with pytest.raises(Conflict, match="other options"):
        missing(path, list(read_lines(BytesIO(b"a\nb\nc\nd\n"), b"other")))


def test_answers_to_more_lines_than_there_are_are_refused(path: Path) -> None:
    with pytest.raises(Conflict, match="lacks"):
        missing(path, LINES[:2])


def test_an_answer_written_twice_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(Conflict, match="twice"):
        missing(path)


def test_a_deleted_answer_is_missing_again(path: Path) -> None:
    """So whoever wants a line answered anew deletes its answer."""
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[1])
    assert missing(path) == [2, 3, 4]


def test_errors_are_counted(path: Path) -> None:
    with open_answers(path) as file:
        file.append([AnswerLine.of_error(LINES[1], "b", InternalError(reason="secret"))])
    with open_answers(path) as file:
        assert (file.answered.count, file.answered.failed) == (3, 1)
    assert "secret" not in path.read_text("utf-8")


def test_two_processes_do_not_write_at_once(path: Path) -> None:
    refused: list[Conflict] = []

    def open_again() -> None:
        with pytest.raises(Conflict) as caught, open_answers(path):
            pass
        refused.append(caught.value)

    with open_answers(path):
        thread = threading.Thread(target=open_again)
        thread.start()
        thread.join()
    assert len(refused) == 1
    assert missing(path) == [2, 4]


def test_a_device_keeps_nothing_and_is_no_failure() -> None:
    with open_answers(Path("/dev/null")) as file:
        file.append([answer(LINES[0])])
        assert file.answered.count == 0
