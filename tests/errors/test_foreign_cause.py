"""What is left of a foreign exception."""

import json
import pickle

from stormproof.errors import ForeignCause


class Mute(Exception):
    """An exception that cannot be printed."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_it_keeps_class_text_and_notes() -> None:
    error = json.JSONDecodeError("no value", "{", 1)
    error.add_note("in line 7")

    described = ForeignCause.of(error)

    assert described.name == "json.decoder.JSONDecodeError"
    assert str(described) == f"json.decoder.JSONDecodeError: {error}"
    assert described.__notes__ == ["in line 7"]


def test_secrets_in_text_and_notes_are_blanked() -> None:
    error = ValueError("password=hunter2")
    error.add_note("Bearer abcdefgh")

    described = ForeignCause.of(error)

    assert described.text == "password=[redacted]"
    assert described.__notes__ == ["Bearer [redacted]"]


def test_a_cause_that_cannot_be_printed_does_not_hide_the_failure() -> None:
    """A broken ``__str__`` far below must not replace the error that is being handled."""
    assert ForeignCause.of(Mute()).text == "(cannot be printed)"


def test_it_pickles() -> None:
    described = ForeignCause.of(KeyError("a"))
    described.add_note("later")

    back = pickle.loads(pickle.dumps(described))  # noqa: S301

    assert (back.name, back.text, back.__notes__) == ("builtins.KeyError", "'a'", ["later"])
