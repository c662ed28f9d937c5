"""``stormproof chat`` against a real server, with answers and failures."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

import pytest

from support.serving import MODEL, Server

QUESTION = "Name the capital of France."


def chat(
    *arguments: str, typed: str | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stormproof.cli", "chat", *arguments],
        input=typed,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200", **environ},
        check=False,
    )


def test_one_question(server: Server) -> None:
    """An argument is asked, the answer is printed, and that is all."""
    ended = chat(QUESTION, "--url", server.url, "--temperature", "0", "--max-tokens", "16")
    assert ended.returncode == 0
    assert "Paris" in ended.stdout
    assert ended.stderr == ""


def test_a_conversation_ends_with_the_input(server: Server) -> None:
    """Each line is a question; what was said before is remembered until /new."""
    typed = f"{QUESTION}\nAnd of Italy?\n/new\n"
    ended = chat("--url", server.url, "--temperature", "0", "--max-tokens", "24", typed=typed)
    assert ended.returncode == 0
    assert "Paris" in ended.stdout
    assert "Rome" in ended.stdout
    assert MODEL in ended.stdout


def _until_it_asks(terminal: int) -> bool:
    """Read up to the next prompt; false if it has left."""
    seen = b""
    with suppress(OSError):  # nobody is at the other end any more
        while not seen.endswith(b"> "):
            seen += os.read(terminal, 1024)
        return True
    return False


def test_the_last_line_can_be_had_back_and_edited(server: Server) -> None:
    """With the keys that every shell has."""
    terminal, its = os.openpty()
    command = [sys.executable, "-m", "stormproof.cli", "chat", "--url", server.url]
    with subprocess.Popen([*command, "--max-tokens", "1"], stdin=its, stdout=its) as process:
        os.close(its)
        for typed in (b"/exi\r", b"\x1b[At\r"):
            assert _until_it_asks(terminal)
            os.write(terminal, typed)
        assert not _until_it_asks(terminal)
        os.close(terminal)
    assert process.returncode == 0


def test_a_refused_question_does_not_end_the_conversation(server: Server) -> None:
    """The code and the remedy are shown, and the next question is answered."""
    typed = f"{'word ' * 9000}\n{QUESTION}\n"
    ended = chat("--url", server.url, "--temperature", "0", "--max-tokens", "16", typed=typed)
    assert ended.returncode == 0
    assert "CONTEXT_TOO_LONG" in ended.stdout
    assert "Paris" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("--url", "http://127.0.0.1:9"),
            "no server answers at http://127.0.0.1:9; stormproof serve",
        ),
        (("--url", "ftp://nowhere"), "CONFIGURATION_ERROR"),
    ],
)
def test_a_server_that_is_not_there(arguments: tuple[str, ...], told: str) -> None:
    """One clear line, not a traceback."""
    ended = chat(QUESTION, *arguments)
    assert ended.returncode == 1
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_unknown_model_and_a_missing_key(server: Server, serve: Callable[..., Server]) -> None:
    """The caller must change something: status 2."""
    unknown = chat(QUESTION, "--url", server.url, "--model", "gpt-9")
    assert unknown.returncode == 2
    assert "MODEL_NOT_FOUND" in unknown.stderr
    closed = serve(STORMPROOF_API_KEY="the-key")
    assert "UNAUTHORIZED" in chat(QUESTION, "--url", closed.url).stderr
    opened = chat(QUESTION, "--url", closed.url, STORMPROOF_API_KEY="the-key")
    assert opened.returncode == 0
