"""What a provider tells of its models, without being asked for an answer."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import SecretStr

from stormproof.errors import ConnectionLost, ProviderError, ProviderUnauthorized
from stormproof.providers.api import Endpoint
from stormproof.providers.http.client import HttpClient
from stormproof.providers.listing import Listing
from support.raw_server import RawServer, request

LISTED = {
    "object": "list",
    "data": [{"id": "gpt"}, {"id": "models/gemini"}, {"id": "llama:latest"}],
}


class House:
    """A provider that answers by path, and may want a key."""

    def __init__(self, server: RawServer, client: HttpClient) -> None:
        self.server = server
        self._client = client

    async def listing(
        self, pages: Mapping[str, tuple[int, Any]], *, key: str | None = None, locked: bool = True
    ) -> Listing:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                head = (await request(reader)).decode()
                self.server.requests.append(head.encode())
                status, page = pages.get(head.split()[1].removeprefix("/v1"), (404, {}))
                if locked and key and f"authorization: Bearer {key}" not in head:
                    status, page = 401, {"error": {"message": "no"}}
                body = page if isinstance(page, bytes) else json.dumps(page).encode()
                writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n" % (status, len(body)))
                writer.write(body)

        url = (await self.server.start(behave)).removesuffix("/x")
        endpoint = Endpoint(provider="house", url=f"{url}/models")
        return Listing(endpoint, client=self._client, key=SecretStr(key) if key else None)

    @property
    def asked(self) -> list[bytes]:
        return [one.split(b"\r\n")[0].rsplit(b" ", 1)[0] for one in self.server.requests]


@pytest.fixture
def house(server: RawServer, client: HttpClient) -> House:
    return House(server, client)


@pytest.mark.parametrize("model", ["gpt", "gemini", "llama"])
@pytest.mark.parametrize("page", [LISTED, LISTED["data"]])
async def test_a_model_that_is_listed_is_there(house: House, model: str, page: Any) -> None:
    """By the short name that the provider takes as well, and however the list is wrapped."""
    assert await (await house.listing({"/models": (200, page)})).has(model)
    assert house.asked == [b"GET /v1/models"]


@pytest.mark.parametrize(
    ("status", "has"), [(200, True), (404, False), (400, None), (405, None), (500, None)]
)
async def test_an_alias_is_asked_for_by_name(
    house: House, status: int, *, has: bool | None
) -> None:
    """Lists name each model once."""
    pages = {"/models": (200, LISTED), "/models/acme/a%20b": (status, {})}
    assert await (await house.listing(pages)).has("acme/a b") is has


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_who_has_no_list_tells_nothing(house: House, status: int) -> None:
    assert await (await house.listing({"/models": (status, b"no")})).has("gpt") is None


@pytest.mark.parametrize("page", [b"<html>", b"", b"{}", b"[" * 9999, b'{"data": [1]}', b"\xff"])
async def test_what_is_no_list_is_an_error(house: House, page: bytes) -> None:
    """A web page, say, of whatever listens there instead."""
    with pytest.raises(ProviderError, match="house"):
        await (await house.listing({"/models": (200, page)})).has("gpt")


async def test_who_does_not_let_us_in_says_so(house: House) -> None:
    listing = await house.listing({"/models": (401, {"error": {"message": "no"}})})
    with pytest.raises(ProviderUnauthorized):
        await listing.has("gpt")


async def test_who_hangs_up_is_not_there(server: RawServer, client: HttpClient) -> None:
    url = await server.answering(close=True)
    with pytest.raises(ConnectionLost):
        await Listing(Endpoint(provider="house", url=url), client=client).has("gpt")


@pytest.mark.parametrize(
    ("key", "locked", "known"), [("k", True, True), ("k", False, None), (None, False, None)]
)
async def test_a_key_is_good_where_nobody_gets_in_without(
    house: House, *, key: str | None, locked: bool, known: bool | None
) -> None:
    """Some list their models to everybody."""
    listing = await house.listing({"/models": (200, LISTED)}, key=key, locked=locked)
    assert await listing.has("gpt")
    assert await listing.knows_us() is known
