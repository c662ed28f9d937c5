"""What was answered before: exactly the same question, or one that means the same.

Stores that need an extra, and the stage for questions that mean the same, which needs numpy, are
imported by those who use them: ``stormproof.reflex.cache.redis``,
``stormproof.reflex.cache.similar``.
"""

from stormproof.reflex.cache.events import CacheFailed, CacheSetAside
from stormproof.reflex.cache.known import KnownAnswers
from stormproof.reflex.cache.lifetimes import Lifetimes
from stormproof.reflex.cache.memory import MemoryAnswers
from stormproof.reflex.cache.sqlite import SqliteAnswers
from stormproof.reflex.cache.stage import CacheStage
from stormproof.reflex.cache.store import AnswerStore

__all__ = [
    "AnswerStore",
    "CacheFailed",
    "CacheSetAside",
    "CacheStage",
    "KnownAnswers",
    "Lifetimes",
    "MemoryAnswers",
    "SqliteAnswers",
]
