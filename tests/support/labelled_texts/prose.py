"""Clean prose: nothing in it is personal or secret."""

from collections.abc import Mapping
from typing import Final

from support.labelled_texts.chance import Chance

_SENTENCES: Final[Mapping[str, tuple[str, ...]]] = {
    "en": (
        "The quarterly report shows that revenue grew by 12.5 % while costs stayed flat.",
        "Please summarise the discussion in three bullet points and keep the tone friendly.",
        "I tried restarting the router twice, but the light keeps blinking orange.",
        "Our team of 14 people meets every second Tuesday at 10:30 to plan the next sprint.",
        "The recipe needs 250 g of flour, 3 eggs and about half a litre of milk.",
        "Could you explain why the build fails after upgrading to the latest compiler?",
        "The train was delayed by 45 minutes, so we missed the connection to the coast.",
        "A binary search halves the range in every step, which makes it fast for large inputs.",
        "The contract runs for 24 months and renews automatically unless it is cancelled in time.",
        "She wondered whether the storm would pass before the harvest festival began.",
        "The museum opens at nine and closes at half past five, except on Mondays.",
        "In section 4.2.1 the authors compare 3 methods on 1,200 samples.",
        "We shipped 4,500 units in March and expect twice that many by the end of summer.",
        "The function returns None when the list is empty; otherwise it returns the last item.",
        "Nobody could say how the cat got onto the roof, nor how it would come down again.",
        "Please translate the following paragraph into plain language for a general audience.",
        "The patient reports mild headaches in the morning and takes no other medicine.",
        "Error rates fell from 2.4 to 0.7 per thousand requests after the cache was enlarged.",
        "The warranty covers parts and labour for two years from the day of purchase.",
        "A good password is long, unique, and never written down next to the keyboard.",
        "The phone rang three times before anybody picked it up.",
        "He paid by card, took the receipt, and left without another word.",
        "The bank is closed on public holidays, but the machine in the lobby works all day.",
        "Set the token limit higher if the answer is cut off in the middle of a sentence.",
        "An IBAN has at most 34 characters, and its first two letters name a country.",
        "Your birthday discount of 15 % can be used once within 30 days.",
        "The address bar shows a lock when the connection is encrypted.",
        "Use environment variables for secrets instead of writing them into the source code.",
        "The river rose by 1.80 m overnight and flooded the lower part of the old town.",
        "Pi is about 3.14159, 2.71828 is the base of natural logarithms.",
        "Retention is settled in chapter 4.1.1.2, deletion in sections 2.3.4.5 and 2.3.4.6.",
        "Since version 1.2.3.4 the importer reads both formats.",
        "Let me know if the second proposal suits you better than the first one.",
    ),
    "de": (
        "Vielen Dank für Ihre Nachricht, wir melden uns innerhalb von zwei Werktagen.",
        "Die Lieferung verzögert sich leider um etwa eine Woche.",
        "Bitte fassen Sie den folgenden Text in drei Sätzen zusammen.",
        "Der Umsatz stieg im zweiten Quartal um 8,4 Prozent auf 1,2 Millionen Euro.",
        "Die Heizung lässt sich seit dem letzten Update nicht mehr steuern.",
        "Wir treffen uns am Dienstag um 14:30 Uhr im großen Saal.",
    ),
    "fr": (
        "Merci de votre message, nous vous répondrons dans les deux jours ouvrables.",
        "La livraison aura malheureusement une semaine de retard.",
        "Pouvez-vous résumer ce texte en trois phrases simples ?",
        "Le chiffre d'affaires a augmenté de 8,4 % au deuxième trimestre.",
        "La réunion aura lieu mardi à 14 h 30 dans la grande salle.",
    ),
    "es": (
        "Gracias por su mensaje, le responderemos en un plazo de dos días hábiles.",
        "El pedido llegará con una semana de retraso.",
        "¿Puede resumir el siguiente texto en tres frases?",
        "Los ingresos crecieron un 8,4 % en el segundo trimestre.",
        "La reunión será el martes a las 14:30 en la sala grande.",
    ),
}
_TEMPLATES: Final[Mapping[str, tuple[str, ...]]] = {
    "en": (
        "My {name} is {{}}.",
        "The {name} is {{}}, as far as I can see.",
        "Please change the {name} to {{}} in your records.",
        "{name}: {{}}",
        "Somebody noted the {name} {{}} on the form.",
        "Can you check the {name} ({{}}) again?",
        'The field "{name}" contains {{}} now.',
    ),
    "de": ("{name}: {{}}", "Meine Angabe zu {name} lautet {{}}.", "Neu ist {name} {{}}."),
    "fr": ("{name} : {{}}", "Voici mon {name} : {{}}.", "Le {name} est {{}}."),
    "es": ("{name}: {{}}", "Mi {name} es {{}}.", "Le envío el {name} {{}}."),
}
_SOURCES: Final = ("en_US", "de_DE", "fr_FR", "ja_JP", "zh_CN", "ru_RU", "el_GR", "la", "ko_KR")


def language(chance: Chance) -> str:
    """Return one; the first is the most usual one."""
    return chance.choices(list(_SENTENCES), (7, 1, 1, 1))[0]


def sentence(chance: Chance, spoken: str) -> str:
    return chance.choice(_SENTENCES[spoken])


def template(chance: Chance, spoken: str, name: str) -> str:
    """Return a sentence about something by its name, with the mark ``{}`` where that stands."""
    return chance.choice(_TEMPLATES[spoken]).format(name=name)


def paragraph(chance: Chance, spoken: str) -> str:
    """Return some sentences; now and then they are Faker's, in any script."""
    if chance.often(0.15):
        return chance.faker(chance.choice(_SOURCES)).text(300)
    return " ".join(sentence(chance, spoken) for _ in range(chance.randint(2, 5)))
