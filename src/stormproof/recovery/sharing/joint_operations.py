"""Operations on several shared objects: all of them take part, or nothing is changed.

In a cluster the objects of one kind stand on one machine.
"""

from dataclasses import dataclass
from typing import NamedTuple

from stormproof.recovery.limits.bucket import Rate
from stormproof.recovery.sharing.store import Operation


class Bucket(NamedTuple):
    """What a call takes from a bucket of permits.

    Attributes:
        rate: How it fills up.
        amount: How many permits.
    """

    rate: Rate
    amount: float


UNMETERED = Bucket(Rate(0.0, 0.0), 0.0)
"""In place of a bucket where any amount may be taken."""


class Meter(NamedTuple):
    """What a call takes of a limit.

    Attributes:
        name: Of the limit.
        places: How many calls may be under way at once; 0 for any number.
        buckets: What it takes from each of two buckets.
    """

    name: str
    places: int
    buckets: tuple[Bucket, Bucket]


class MeterState(NamedTuple):
    """How a limit stands.

    Attributes:
        debts: Seconds until each bucket is full.
        taken: How many calls are under way.
    """

    debts: tuple[float, float]
    taken: int


class Metered(NamedTuple):
    """What became of a wish to be let in.

    Attributes:
        granted: Whether the call was let in.
        states: How each limit stands.
    """

    granted: bool
    states: tuple[MeterState, ...]


@dataclass(frozen=True, slots=True)
class EnterMeters(Operation[Metered]):
    """Take permits and a place of every limit, or nothing of any.

    Attributes:
        meters: The limits.
        call: Names the call.
        lease: Seconds after which it no longer holds its places: whoever made it is dead.
    """

    meters: tuple[Meter, ...]
    call: str
    lease: float

    def undo(self, result: Metered) -> "LeaveMeters | None":
        """Return what was taken."""
        return (
            LeaveMeters(given_back(self.meters), self.call, self.lease) if result.granted else None
        )


@dataclass(frozen=True, slots=True)
class LeaveMeters(Operation[bool]):
    """Give places back, and correct what the call has cost. The result means nothing.

    Attributes:
        meters: The limits, with the permits to take in addition, whether they are there or not;
            less than 0 are given back.
        call: Names the call.
        lease: As when it was let in.
    """

    meters: tuple[Meter, ...]
    call: str
    lease: float


def given_back(meters: tuple[Meter, ...]) -> tuple[Meter, ...]:
    """Return what undoes taking from each limit."""
    return tuple(
        one._replace(buckets=(_given_back(one.buckets[0]), _given_back(one.buckets[1])))
        for one in meters
    )


def _given_back(bucket: Bucket) -> Bucket:
    return bucket._replace(amount=-bucket.amount)


class Account(NamedTuple):
    """One account, and what a process knows of it.

    Attributes:
        name: Of the account.
        limit: What may be spent.
        keep: Seconds after which an account that nobody uses is forgotten.
        begun: By which name the process knows the account; empty if it has not seen it. One that
            the store has lost begins anew, under another, and so does one of which it remembers
            less than the process heard.
        turn: How often it had been spent from when the process last heard of it.
        known: What was spent by then, or as its books say; of an account that has begun anew, the
            most that any process knows counts.
        owed: What was spent while the store was out of reach.
    """

    name: str
    limit: int
    keep: float
    begun: str
    turn: int
    known: int
    owed: int


class AccountState(NamedTuple):
    """How an account stands.

    Attributes:
        begun: Its name.
        turn: How often it was spent from; what was said later has a higher one.
        spent: What was spent.
    """

    begun: str
    turn: int
    spent: int


class Spent(NamedTuple):
    """What became of a wish to spend.

    Attributes:
        granted: Whether the amount is counted.
        states: How each account stands.
    """

    granted: bool
    states: tuple[AccountState, ...]


@dataclass(frozen=True, slots=True)
class Spend(Operation[Spent]):
    """Spend an amount from every account that has so much left, or from none.

    What is known and owed is taken note of in any case.

    Attributes:
        accounts: From which.
        amount: How much; up to 2**53, as are limits.
        begin: By which name accounts begin that are not there.
    """

    accounts: tuple[Account, ...]
    amount: int
    begin: str

    def undo(self, result: Spent) -> "Settle | None":
        """Return what was spent."""
        if not result.granted:
            return None
        return Settle(tuple(account.name for account in self.accounts), -self.amount)


@dataclass(frozen=True, slots=True)
class Settle(Operation[bool]):
    """Correct what was spent from accounts, as far as they are still there.

    The result means nothing.

    Attributes:
        accounts: Their names.
        amount: What to add; less than 0 is given back, of which no more than was spent.
    """

    accounts: tuple[str, ...]
    amount: int
