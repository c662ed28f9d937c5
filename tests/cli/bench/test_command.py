"""``stormproof bench`` as a process, with a real model and a real server."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from support.serving import Server

COMMAND = [sys.executable, "-m", "stormproof.cli", "bench"]
ENVIRON = {**os.environ, "COLUMNS": "100", "OMP_NUM_THREADS": "1"}


def bench(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, env=ENVIRON, check=False
    )


def test_a_model_is_measured_in_process(model_path: Path) -> None:
    ended = bench("1x8+4", "3x4-9+2-5", "--model", model_path)
    assert ended.returncode == 0
    assert "Measuring 3x4-9+2-5" in ended.stderr
    for part in ("1x8+4", "3x4-9+2-5", "Output", "First token", "p99"):
        assert part in ended.stdout


def test_a_server_is_measured_with_the_same_workload(server: Server, model_path: Path) -> None:
    """By the same seed both are asked the same."""
    found = []
    for target in (("--url", server.url), ("--model", str(model_path))):
        ended = bench("2x4-20+1-9", "--json", "--seed", "3", *target)
        assert ended.returncode == 0
        [result] = json.loads(ended.stdout)["results"]
        assert result["output_tokens_per_second"] > 0
        found.append((result["requests"], result["prompt_tokens"], result["output_tokens"]))
    assert found[0] == found[1]


def test_requests_that_fail_are_counted_and_are_status_1(server: Server) -> None:
    ended = bench("1x8+2", "1x8+5000", "--json", "--url", server.url)
    assert ended.returncode == 1
    assert [result["workload"] for result in json.loads(ended.stdout)["results"]] == ["1x8+2"]
    assert "1 requests failed" in ended.stderr


def test_ctrl_c_shows_what_was_measured(model_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "1x4+2", "2x4+8000", "--model", str(model_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRON,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert any("Measuring 2x4+8000" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        assert "1x4+2" in process.stdout.read()
        assert "Traceback" not in process.stderr.read()
        assert process.wait() == 130


def test_what_cannot_be_measured_is_one_clear_line(tmp_path: Path) -> None:
    cases: list[tuple[tuple[str | Path, ...], int, str]] = [
        (("1x1",), 2, "must look like"),
        (("--url", "http://127.0.0.1:9"), 1, "NETWORK_ERROR"),
        (("--model", tmp_path / "no-model.gguf"), 1, "MODEL_LOAD_ERROR"),
    ]
    for arguments, status, told in cases:
        ended = bench(*arguments)
        assert (ended.returncode, ended.stdout) == (status, "")
        assert told in ended.stderr
        assert "Traceback" not in ended.stderr
