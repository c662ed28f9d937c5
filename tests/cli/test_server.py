"""Commands find a server by its own address, and by the one that OpenAI's clients are given."""

import pytest

from stormproof.cli.server import root_of


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/"])
def test_the_path_of_the_api_may_be_part_of_an_address(ending: str) -> None:
    assert root_of(f"http://here:8000/models{ending}") == "http://here:8000/models"


def test_no_address_stays_none() -> None:
    assert root_of(None) is None
