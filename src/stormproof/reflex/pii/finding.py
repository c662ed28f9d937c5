"""What was found in a text: of which kind, and where; never the value."""

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What a place in a text holds that is nobody else's business."""

    EMAIL = "email"
    PHONE = "phone"
    CARD = "card"
    IBAN = "iban"
    NATIONAL_ID = "national_id"
    TAX_NUMBER = "tax_number"
    IP_ADDRESS = "ip_address"
    MAC_ADDRESS = "mac_address"
    DATE_OF_BIRTH = "date_of_birth"
    COORDINATES = "coordinates"
    CRYPTO_WALLET = "crypto_wallet"
    API_KEY = "api_key"
    TOKEN = "token"  # noqa: S105 - the name of a kind
    PRIVATE_KEY = "private_key"
    JWT = "jwt"
    CONNECTION_STRING = "connection_string"
    PASSWORD = "password"  # noqa: S105 - the name of a kind
    PERSON = "person"
    PLACE = "place"


class Finding(NamedTuple):
    """A place in a text.

    Attributes:
        kind: What it holds.
        start: Where that begins, in characters.
        end: Where it has ended.
        detail: Whose it is, as far as its form tells: a country (``de``), an issuer (``aws``).
    """

    kind: Kind
    start: int
    end: int
    detail: str | None = None
