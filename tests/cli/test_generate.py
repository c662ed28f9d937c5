"""``stormproof generate`` as a process, with a real model."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "stormproof.cli", "generate"]
ENVIRON = {**os.environ, "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
FEW = ("--max-tokens", "8", "--temperature", "0")


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    """A file of sixty prompts."""
    path = tmp_path / "prompts.jsonl"
    lines = [{"id": f"i{i}", "prompt": f"{i} and {i} makes"} for i in range(1, 61)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def generate(*arguments: str | Path, typed: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=typed,
        capture_output=True,
        text=True,
        env=ENVIRON,
        check=False,
    )


def interrupted(number: int, *arguments: str | Path) -> tuple[int, str]:
    """Run until some answers are written, then send a signal; return the status and the rest."""
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stderr=subprocess.PIPE, text=True, env=ENVIRON
    ) as process:
        assert process.stderr is not None
        assert any(" of 60 lines; " in line for line in process.stderr)
        process.send_signal(number)
        rest = process.stderr.read()
        return process.wait(), rest


def documents(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_conversation_is_answered(model_path: Path) -> None:
    """From standard input to standard output, which holds nothing else."""
    question = {"role": "user", "content": "Name the capital of France."}
    line = json.dumps({"messages": [question], "max_tokens": 16})
    ended = generate("-", "--model", model_path, "--temperature", "0", typed=line)
    assert ended.returncode == 0
    [answer] = documents(ended.stdout)
    assert "Paris" in answer["text"]
    assert (answer["line"], answer["id"]) == (1, 1)
    assert "1 lines answered" in ended.stderr


def test_a_killed_run_goes_on_where_it_was(prompts: Path, tmp_path: Path, model_path: Path) -> None:
    """Every id exactly once, and the answers of a run that nobody killed."""
    out, undisturbed = tmp_path / "answers.jsonl", tmp_path / "undisturbed.jsonl"
    options = ("--model", model_path, "--max-sequences", "4", *FEW)
    status, _ = interrupted(signal.SIGKILL, prompts, "--out", out, *options)
    assert status == -signal.SIGKILL
    before = out.read_text("utf-8")
    kept = before[: before.rfind("\n") + 1]
    assert 0 < len(kept.splitlines()) < 60

    ended = generate(prompts, "--out", out, "--json", *options)
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["answered_before"] == len(kept.splitlines())
    after = out.read_text("utf-8")
    assert after.startswith(kept)
    assert sorted(answer["id"] for answer in documents(after)) == sorted(
        f"i{i}" for i in range(1, 61)
    )
    assert generate(prompts, "--out", undisturbed, *options).returncode == 0
    assert texts(after) == texts(undisturbed.read_text("utf-8"))


def texts(text: str) -> dict[str, str]:
    return {answer["id"]: answer["text"] for answer in documents(text)}


def test_ctrl_c_stops_and_says_how_to_go_on(
    prompts: Path, tmp_path: Path, model_path: Path
) -> None:
    out = tmp_path / "answers.jsonl"
    options = ("--out", out, "--model", model_path, "--max-sequences", "4", *FEW)
    status, told = interrupted(signal.SIGINT, prompts, *options)
    assert status == 130
    assert "the same command goes on from here" in told
    assert "Traceback" not in told
    assert 0 < len(documents(out.read_text("utf-8"))) < 60


def test_ctrl_c_while_nothing_comes_in(model_path: Path) -> None:
    """A terminal at which nobody types does not keep the process."""
    with subprocess.Popen(
        [*COMMAND, "-", "--model", str(model_path), *FEW],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRON,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write('{"prompt": "a"}\n')
        process.stdin.flush()
        assert documents(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert "Traceback" not in process.stderr.read()


def test_an_error_among_the_answers_is_status_1(tmp_path: Path, model_path: Path) -> None:
    """Also when a later run has nothing left to do."""
    prompts, out = tmp_path / "prompts.jsonl", tmp_path / "answers.jsonl"
    prompts.write_text('{"prompt": "a"}\nbad\n', "utf-8")
    for answered in (2, 0):
        ended = generate(prompts, "--out", out, "--json", "--model", model_path, *FEW)
        summary = json.loads(ended.stdout)
        assert ended.returncode == 1
        assert (summary["answered"], summary["errors"]) == (answered, 1)


def test_what_can_be_wrong_is_found_before_the_model_is_loaded(
    prompts: Path, tmp_path: Path
) -> None:
    """Status 2 and a code for what must be asked differently; never a traceback."""
    other = tmp_path / "thesis.txt"
    other.write_text("It was a dark and stormy night", "utf-8")
    nowhere = ("--model", tmp_path / "no-model.gguf")
    cases: list[tuple[tuple[str | Path, ...], int, str]] = [
        ((prompts, "--out", other, *nowhere), 2, "CONFLICT"),
        ((prompts, "--out", prompts, *nowhere), 2, "CONFLICT"),
        ((prompts, "--temperature", "-1", *nowhere), 2, "VALIDATION_ERRORS"),
        ((prompts, "--json", *nowhere), 2, "--json"),
        ((tmp_path / "missing.jsonl", *nowhere), 1, "STORAGE"),
        ((prompts, "--out", tmp_path, *nowhere), 1, "STORAGE"),
        ((prompts, "--out", tmp_path / "no" / "folder", *nowhere), 1, "STORAGE"),
        ((prompts, *nowhere), 1, "MODEL_LOAD_ERROR"),
    ]
    for arguments, status, code in cases:
        ended = generate(*arguments)
        assert (ended.returncode, ended.stdout) == (status, "")
        assert code in ended.stderr
        assert "Traceback" not in ended.stderr
    assert other.read_text("utf-8") == "It was a dark and stormy night"
