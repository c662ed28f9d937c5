"""Secrets of programs, in the forms that their issuers document."""

import base64
import json
import string
from collections.abc import Callable, Mapping
from typing import Final
from zlib import crc32

from stormproof.reflex.pii.finding import Kind
from support.labelled_texts.chance import Chance, grouped
from support.labelled_texts.page import Item

_UPPER: Final = string.ascii_uppercase + string.digits
_URL_SAFE: Final = string.ascii_letters + string.digits + "-_"
_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase


def _github(prefix: str) -> Callable[[Chance], str]:
    """Return what draws a token with its checksum at the end."""

    def drawn(chance: Chance) -> str:
        body = chance.alphanumeric(30)
        number, check = crc32(body.encode()), ""
        while number:
            number, digit = divmod(number, 62)
            check = _BASE62[digit] + check
        return f"{prefix}_{body}{check:0>6}"

    return drawn


def _behind(prefix: str, count: int, alphabet: str = _BASE62) -> Callable[[Chance], str]:
    """Return what draws characters behind a prefix."""
    return lambda chance: prefix + chance.of(alphabet, count)


_API_KEYS: Final[Mapping[str, Callable[[Chance], str]]] = {
    "airtable": lambda c: f"pat{c.alphanumeric(14)}.{c.hexadecimal(64)}",
    "anthropic": lambda c: f"sk-ant-api03-{c.of(_URL_SAFE, 93)}AA",
    "aws": lambda c: c.choice(("AKIA", "ASIA")) + c.of(string.ascii_uppercase + "234567", 16),
    "databricks": lambda c: f"dapi{c.hexadecimal(32)}",
    "google": _behind("AIzaSy", 33, _URL_SAFE),
    "grafana": lambda c: f"glsa_{c.alphanumeric(32)}_{c.hexadecimal(8)}",
    "groq": _behind("gsk_", 52),
    "linear": _behind("lin_api_", 40),
    "new relic": lambda c: f"NRAK-{c.of(_UPPER, 27)}",
    "openai": lambda c: f"sk-proj-{c.of(_URL_SAFE, 74)}T3BlbkFJ{c.of(_URL_SAFE, 74)}",
    "openai user": lambda c: f"sk-{c.alphanumeric(20)}T3BlbkFJ{c.alphanumeric(20)}",
    "perplexity": _behind("pplx-", 48),
    "postman": lambda c: f"PMAK-{c.hexadecimal(24)}-{c.hexadecimal(34)}",
    "replicate": _behind("r8_", 37),
    "sendgrid": lambda c: f"SG.{c.of(_URL_SAFE, 22)}.{c.of(_URL_SAFE, 43)}",
    "stripe": lambda c: c.choice(("sk_live_", "sk_test_", "rk_live_")) + c.alphanumeric(24),
    "twilio": lambda c: f"SK{c.hexadecimal(32)}",
    "xai": _behind("xai-", 80),
}
_TOKENS: Final[Mapping[str, Callable[[Chance], str]]] = {
    "atlassian": lambda c: f"ATATT3xFfGF0{c.of(_URL_SAFE, 172)}={c.of('0123456789ABCDEF', 8)}",
    "digitalocean": lambda c: f"dop_v1_{c.hexadecimal(64)}",
    "docker": _behind("dckr_pat_", 27, _URL_SAFE),
    "figma": _behind("figd_", 40, _URL_SAFE),
    "github": _github("ghp"),
    "github fine": lambda c: f"github_pat_{c.alphanumeric(22)}_{c.alphanumeric(59)}",
    "github oauth": _github("gho"),
    "gitlab": _behind("glpat-", 20, _URL_SAFE),
    "hugging face": _behind("hf_", 34, string.ascii_letters),
    "npm": _github("npm"),
    "pypi": lambda c: f"pypi-AgEIcHlwaS5vcmc{c.of(_URL_SAFE, 150)}",
    "shopify": lambda c: f"shpat_{c.hexadecimal(32)}",
    "slack": lambda c: f"xoxb-{c.digits(12)}-{c.digits(13)}-{c.alphanumeric(24)}",
    "telegram": lambda c: f"{c.digits(10, '123456789')}:AA{c.of(_URL_SAFE, 33)}",
    "vault": _behind("hvs.", 90, _URL_SAFE),
}
_PEM: Final = ("RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY")


def api_key(chance: Chance) -> Item:
    issuer = chance.choice(sorted(_API_KEYS))
    names = ("API key", "api_key", "key", "credential")
    return Item(Kind.API_KEY, issuer, chance.choice(names), _API_KEYS[issuer](chance))


def token(chance: Chance) -> Item:
    issuer = chance.choice(sorted(_TOKENS))
    names = ("token", "access token", "auth token", "credential")
    return Item(Kind.TOKEN, issuer, chance.choice(names), _TOKENS[issuer](chance))


def bearer(chance: Chance) -> Item:
    """Return an opaque token where HTTP has it."""
    secret = chance.of(_URL_SAFE, chance.choice((32, 40, 64)))
    return Item(Kind.TOKEN, "bearer", "Authorization", f"Bearer {secret}", secret)


def jwt(chance: Chance) -> Item:
    head = {"alg": chance.choice(("HS256", "RS256", "ES256")), "typ": "JWT"}
    claims = {"sub": chance.digits(10), "iat": chance.randint(1_600_000_000, 1_900_000_000)}
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in (head, claims)]
    parts.append(chance.randbytes(chance.choice((32, 64))))
    text = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    return Item(Kind.JWT, "jwt", chance.choice(("JWT", "session token", "id_token")), text)


def private_key(chance: Chance) -> Item:
    name = chance.choice(_PEM)
    body = base64.b64encode(chance.randbytes(chance.choice((120, 300, 600)))).decode()
    lines = grouped(body, (64,) * (len(body) // 64), "\n")
    text = f"-----BEGIN {name}-----\n{lines}\n-----END {name}-----"
    return Item(Kind.PRIVATE_KEY, name.lower(), "private key", text)


def connection_string(chance: Chance) -> Item:
    user, host = chance.faker("en_US").user_name(), f"db{chance.randint(1, 9)}.internal"
    secret = chance.alphanumeric(chance.randint(10, 24))
    base, azure = f"{user}:{secret}@{host}", base64.b64encode(chance.randbytes(64)).decode()
    store = f"DefaultEndpointsProtocol=https;AccountName=store{chance.randint(1, 9)}"
    shapes = {
        "postgresql": (f"postgresql://{base}:5432/app", secret),
        "mysql": (f"mysql+pymysql://{base}/shop?charset=utf8mb4", secret),
        "mongodb": (f"mongodb+srv://{base}/?retryWrites=true", secret),
        "redis": (f"redis://:{secret}@{host}:6379/0", secret),
        "amqp": (f"amqps://{base}:5671/vhost", secret),
        "sql server": (f"Server={host};Database=app;User Id={user};Password={secret};", secret),
        "azure storage": (f"{store};AccountKey={azure};EndpointSuffix=core.windows.net", azure),
    }
    shape = chance.choice(sorted(shapes))
    text, secret = shapes[shape]
    names = ("connection string", "DATABASE_URL", "DSN")
    return Item(Kind.CONNECTION_STRING, shape, chance.choice(names), text, secret)


def password(chance: Chance) -> Item:
    text = chance.alphanumeric(8) + chance.choice("!?*") + chance.digits(2)
    return Item(Kind.PASSWORD, "password", chance.choice(("password", "Passwort")), text)
