"""What tables of ``stormproof.toml`` are made of: fields that are checked as they are read."""

from collections.abc import Iterable
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from stormproof.errors import ConfigurationError
from stormproof.providers.http.client import parse_url
from stormproof.providers.http.proxies import Proxy

_DAY: Final = 86_400
_REDIS: Final = frozenset({"redis", "rediss", "unix"})
_KEY_HEADERS: Final = frozenset({"authorization", "api-key", "x-api-key", "cookie"})
MOST_RUNGS: Final = 64
_TOKEN: Final = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"  # noqa: S105 - RFC 9110's name for such a word


def _checked_url(url: str) -> str:
    try:
        parse_url(url)
    except ConfigurationError as error:
        raise ValueError(error.reason) from None  # the original may quote a password
    if "?" in url or "#" in url:
        raise ValueError("must end with its path")
    return url.rstrip("/")


def _checked_proxy(url: str) -> str:
    if url == "none":
        return url
    try:
        proxy = Proxy.parse(url)
    except ConfigurationError as error:
        raise ValueError(error.reason) from None
    if proxy.authorization:
        raise ValueError("passwords are not written here: use the variable HTTPS_PROXY")
    return url


def _checked_redis(url: str) -> str:
    try:
        parts = urlsplit(url)
        secret = parts.password is not None or "password" in parse_qs(parts.query)
    except ValueError:
        raise ValueError("is not a URL") from None  # the original quotes it
    if parts.scheme not in _REDIS:
        raise ValueError("must begin with redis://, rediss:// or unix://")
    if secret:
        raise ValueError("passwords are not written here: use url_env")
    return url


def _checked_header(name: str) -> str:
    if name.lower() in _KEY_HEADERS:
        raise ValueError("keys are not written here: use key_env or key_file")
    return name.lower()


Seconds: TypeAlias = Annotated[float, Field(strict=True, gt=0, le=_DAY, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Tokens: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]
Price: TypeAlias = Annotated[float, Field(strict=True, ge=0, le=1e6, allow_inf_nan=False)]
Weight: TypeAlias = Annotated[float, Field(strict=True, ge=0, le=1e6, allow_inf_nan=False)]
Flag: TypeAlias = Annotated[bool, Field(strict=True)]
Url: TypeAlias = Annotated[str, AfterValidator(_checked_url)]
ProxyUrl: TypeAlias = Annotated[str, AfterValidator(_checked_proxy)]
RedisUrl: TypeAlias = Annotated[str, AfterValidator(_checked_redis)]
HeaderName: TypeAlias = Annotated[str, StringConstraints(pattern=_TOKEN, max_length=128)]
OpenHeaderName: TypeAlias = Annotated[HeaderName, AfterValidator(_checked_header)]
HeaderValue: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[\x20-\x7e]*$", max_length=4096)
]
Variable: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]*$", max_length=128)
]
ProviderName: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)
]
ModelName: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$", max_length=256)
]
"""What a header can say."""


class Table(BaseModel):
    """A table of the file; a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Limits(Table):
    """What we may ask for; at a provider, of all its models together."""

    requests_per_minute: Count | None = Field(
        default=None, description="Most requests in a minute; the next rung answers others."
    )
    tokens_per_minute: Tokens | None = Field(
        default=None, description="Most tokens in a minute, of prompts and answers; the same."
    )
    concurrency: Count | None = Field(default=None, description="Most requests at once; the same.")


def kind_of(table: Any, kinds: Iterable[str]) -> str | None:
    """Return by which of the keys that tell kinds of tables apart this one is known."""
    return (
        next((kind for kind in kinds if kind in table), None) if isinstance(table, dict) else None
    )


def not_empty(rungs: Any) -> Any:
    """Refuse a list with nobody in it."""
    if rungs == []:
        raise ValueError("must hold somebody who answers")
    return rungs
