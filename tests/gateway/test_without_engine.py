"""A gateway to others alone has the routes that one with an engine has."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from support.ladder_server import serving_file

POSTED = ("/chat/completions", "/completions", "/embeddings", "/messages")


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    file = tmp_path / "stormproof.toml"
    file.write_text('[models.chat]\nrungs = [{ answer = "Sorry." }]')
    async with (
        serving_file(file) as url,
        httpx2.AsyncClient(base_url=url, timeout=None) as client,
    ):
        yield client


@pytest.mark.parametrize("path", POSTED)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_wrong_method_is_told_which_is_right(
    client: httpx2.AsyncClient, method: str, path: str
) -> None:
    response = await client.request(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_a_route_that_is_none_is_told(client: httpx2.AsyncClient) -> None:
    response = await client.post("/chat", json={})
    assert (response.status_code, response.json()["error"]["code"]) == (404, "ROUTE_NOT_FOUND")


def references(value: Any) -> set[str]:
    """Every reference in a schema."""
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


async def test_the_schema_describes_every_route(client: httpx2.AsyncClient) -> None:
    """And leaves nothing of it open."""
    schema = (await client.get("../openapi.json")).json()
    posted = {path for path, methods in schema["paths"].items() if "post" in methods}
    assert {f"/v1{path}" for path in POSTED} <= posted
    named = {f"#/components/schemas/{name}" for name in schema["components"]["schemas"]}
    assert references(schema) <= named
    body = schema["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]
    asked = body["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert {"model", "messages", "tools"} <= set(
        schema["components"]["schemas"][asked]["properties"]
    )


async def test_the_docs_are_served_from_here(client: httpx2.AsyncClient) -> None:
    page = await client.get("../docs")
    assert page.status_code == 200
    assert "/openapi.json" in page.text
    assert "https://" not in page.text
