"""The reference page of errors is made from the classes."""

import runpy
from pathlib import Path

from stormproof.errors import ClientError

DOCS = Path(__file__).parents[2] / "docs"


def generated() -> str:
    page: str = runpy.run_path(str(DOCS / "generate_errors.py"))["page"]()
    return page


def test_the_page_is_up_to_date() -> None:
    written = (DOCS / "errors.md").read_text("utf-8")

    assert written == generated(), "stale: run  python docs/generate_errors.py"


def test_the_page_shows_our_own_classes_only() -> None:
    """What else a program has derived, tests for instance, is not ours to document."""

    class Stray(ClientError):
        """A class of an application."""

        code = "STRAY_CLASS"

    assert Stray.code not in generated()
