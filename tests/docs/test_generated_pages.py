"""Pages that are made from the code are not stale."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["settings", "models_file", "reflex_tables", "command_line"])
def test_a_reference_page_is_what_the_code_says(page: str) -> None:
    """If this fails: python docs/generate_reference.py."""
    fresh = getattr(load("generate_reference"), f"{page}_page")()
    assert (DOCS / f"reference/{page}.md").read_text("utf-8") == fresh
