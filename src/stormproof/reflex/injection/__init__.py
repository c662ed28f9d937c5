"""What would have a model obey a text that it was only to read: found by its form."""

from stormproof.reflex.injection.events import InjectionFound
from stormproof.reflex.injection.finding import Attack, Disguise, Injection, InjectionSeverity
from stormproof.reflex.injection.guard import InjectionGuard
from stormproof.reflex.injection.stage import InjectionStage, OnInjection

__all__ = [
    "Attack",
    "Disguise",
    "Injection",
    "InjectionFound",
    "InjectionGuard",
    "InjectionSeverity",
    "InjectionStage",
    "OnInjection",
]
