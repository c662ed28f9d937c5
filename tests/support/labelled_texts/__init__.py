"""Texts in which it is known what is personal or secret, and where.

    from support.labelled_texts import labelled_texts
    texts = labelled_texts(5_000, seed=1)

Everything is drawn at random, and the same again for the same seed. Numbers follow the formats that
states, banks, networks and standards publish, with check digits that are computed here, and not by
a library that a detector may use; secrets follow the shapes that their issuers document; names,
places and user names are Faker's, in many languages. They stand in letters, conversations, JSON,
logs, tables, questionnaires, code, variables and HTML, each with its label: the kind, the shape and
the exact characters. Of a connection string, and of an authorization header, that is the secret in
it. One text in three has nothing in it that should be found: clean prose in several languages and
scripts, and what only looks like it: orders, versions, chapters, masks of networks, measurements,
dates, hashes, UUIDs, placeholders, and numbers with a wrong check digit, which stand among the
others too.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from stormproof.reflex.pii.finding import Kind
from support.labelled_texts import (
    addresses,
    cards,
    contacts,
    credentials,
    ibans,
    identities,
    identities_overseas,
    lookalikes,
    phones,
    tax_numbers,
    wallets,
)
from support.labelled_texts.chance import Chance
from support.labelled_texts.forms import FORMS, Maker
from support.labelled_texts.page import Item, Label, LabelledText, Page
from support.labelled_texts.prose import language, paragraph, sentence, template

__all__ = [
    "MAKERS",
    "Chance",
    "Item",
    "Label",
    "LabelledText",
    "Page",
    "everyday",
    "labelled_texts",
    "plain",
    "sized",
]

MAKERS: Final[Mapping[Kind, Sequence[Maker]]] = {
    Kind.EMAIL: (contacts.email,),
    Kind.PHONE: (phones.phone,),
    Kind.CARD: (cards.card,),
    Kind.IBAN: (ibans.iban,),
    Kind.NATIONAL_ID: (*identities.MAKERS, *identities_overseas.MAKERS),
    Kind.TAX_NUMBER: tax_numbers.MAKERS,
    Kind.IP_ADDRESS: (addresses.ipv4, addresses.ipv6),
    Kind.MAC_ADDRESS: (addresses.mac,),
    Kind.DATE_OF_BIRTH: (contacts.birth,),
    Kind.COORDINATES: (addresses.coordinates,),
    Kind.CRYPTO_WALLET: (wallets.wallet,),
    Kind.API_KEY: (credentials.api_key,),
    Kind.TOKEN: (credentials.token, credentials.token, credentials.bearer),
    Kind.PRIVATE_KEY: (credentials.private_key,),
    Kind.JWT: (credentials.jwt,),
    Kind.CONNECTION_STRING: (credentials.connection_string,),
    Kind.PASSWORD: (credentials.password,),
    Kind.PERSON: (contacts.person,),
    Kind.PLACE: (contacts.place,),
}
"""What draws items of each kind."""

_WEIGHTS: Final = {Kind.NATIONAL_ID: 3, Kind.TAX_NUMBER: 2}
_CLEAN: Final = 1 / 3
_MOST: Final = 5
"""How many items a text has at most; a table has them several times."""

_MOST_MEASURED: Final = 3
_EVERYDAY: Final = (
    Kind.EMAIL,
    Kind.PHONE,
    Kind.CARD,
    Kind.IBAN,
    Kind.NATIONAL_ID,
    Kind.IP_ADDRESS,
    Kind.API_KEY,
)
_KILOBYTE: Final = 1024


def labelled_texts(count: int, seed: int) -> Sequence[LabelledText]:
    """Return texts.

    Args:
        count: How many.
        seed: The same gives the same again.
    """
    chance = Chance(seed)
    return [_drawn(chance) for _ in range(count)]


def sized(count: int, size: int, seed: int) -> Sequence[str]:
    """Return texts of ``size`` characters, to measure times by.

    Each kilobyte has one of the texts above, and is filled up with clean prose.
    """
    chance = Chance(seed)
    return [_of_size(chance, size) for _ in range(count)]


def everyday(count: int, size: int, seed: int) -> Sequence[str]:
    """Return English texts of ``size`` characters; three in four say one to three usual items."""
    chance = Chance(seed)
    return [_everyday(chance, size) for _ in range(count)]


def plain(count: int, size: int, seed: int) -> Sequence[str]:
    """Return texts of ``size`` characters that are clean prose, each in languages of its own."""
    chance = Chance(seed)
    return [_prose(chance, size) for _ in range(count)]


def _prose(chance: Chance, size: int) -> str:
    text = ""
    while len(text) < size:
        text += f"{paragraph(chance, language(chance))}\n\n"
    return text[:size]


def _everyday(chance: Chance, size: int) -> str:
    sentences: list[str] = []
    while sum(map(len, sentences)) < size:
        sentences.append(sentence(chance, "en"))
    for _ in range(chance.randint(1, _MOST_MEASURED) if chance.often(0.75) else 0):
        item = chance.choice(MAKERS[chance.choice(_EVERYDAY)])(chance)
        said = template(chance, "en", item.name).replace("{}", item.text)
        sentences.insert(chance.randint(0, len(sentences) // 2), said)
    return " ".join(sentences)[:size]


def _drawn(chance: Chance, most: int = _MOST) -> LabelledText:
    clean = chance.often(_CLEAN)
    makers = [_maker(chance, clean=clean) for _ in range(chance.randint(1, most))]
    return chance.choice(FORMS)(chance, makers)


def _maker(chance: Chance, *, clean: bool) -> Maker:
    if clean or chance.often(0.25):
        return chance.choice(lookalikes.MAKERS)
    [kind] = chance.choices(list(MAKERS), [_WEIGHTS.get(kind, 1) for kind in MAKERS])
    return chance.choice(MAKERS[kind])


def _of_size(chance: Chance, size: int) -> str:
    text = ""
    while len(text) < size:
        kilobyte = _drawn(chance, _MOST_MEASURED).text
        while len(kilobyte) < _KILOBYTE:
            kilobyte += f"\n\n{paragraph(chance, language(chance))}"
        text += kilobyte[:_KILOBYTE]
    return text[:size]
