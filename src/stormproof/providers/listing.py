"""Which models a provider has, as far as it tells: it is asked for them, and for no answer."""

from collections.abc import Collection
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Struct
from pydantic import SecretStr

from stormproof.providers.api import Api, Endpoint
from stormproof.providers.http.client import HttpClient

_GOOD: Final = 200
_NOT_FOUND: Final = 404
_NO_SUCH_THING: Final = frozenset({_NOT_FOUND, 405, 501})


class _Model(Struct):
    id: str


class _Models(Struct):
    data: list[_Model]


_decoder: Final = msgspec.json.Decoder(_Models | list[_Model])


class Listing:
    """What a provider tells of its models.

    Args:
        endpoint: Where it lists them.
        client: Sends the requests.
        key: Proves who we are.
    """

    def __init__(
        self, endpoint: Endpoint, *, client: HttpClient, key: SecretStr | None = None
    ) -> None:
        self._api = Api(endpoint, client, key)
        self._anyone = Api(endpoint, client, None)
        self._url = endpoint.url
        self._keyed = key is not None

    async def has(self, model: str) -> bool | None:
        """Say whether it has a model; None if it does not tell.

        Raises:
            StormproofError: It cannot be reached, or does not let us in.
        """
        names = await self._names()
        if names is None:
            return None
        if {model, f"models/{model}", f"{model}:latest"}.intersection(names):
            return True
        # An alias is not listed, but known.
        with await self._api.look_up(f"{self._url}/{quote(model, safe='/:@')}") as response:
            known = {_GOOD: True, _NOT_FOUND: False}
            return known.get(response.status)

    async def knows_us(self) -> bool | None:
        """Say whether it has let us in for our key; None if it lets everybody in who only looks.

        Raises:
            StormproofError: It cannot be reached.
        """
        if not self._keyed:
            return None
        with await self._anyone.look_up(self._url) as response:
            return None if response.status == _GOOD else True

    async def _names(self) -> Collection[str] | None:
        with await self._api.look_up(self._url) as response:
            if response.status in _NO_SUCH_THING:
                return None
            body = await self._api.body(response)
        try:
            listed = _decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._api.judge.bad("listed its models in no way that one can read") from error
        return [model.id for model in (listed if isinstance(listed, list) else listed.data)]
