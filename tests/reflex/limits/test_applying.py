"""Whose use is counted together, and which limits apply."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormproof.reflex import Caller, Limits, LimitSettings, Scope, Subject
from stormproof.reflex.limits.applying import Applying
from stormproof.reflex.limits.subject import of_address, of_user
from support.reflex_calls import call

ONE, TWO = LimitSettings(requests_per_minute=1), LimitSettings(requests_per_minute=2)
CONCURRENT = LimitSettings(concurrency=3)


def test_every_scope_has_a_limit_of_its_own() -> None:
    """A key and a user belong to a tenant; models, addresses and all together to nobody."""
    limits = Limits(dict.fromkeys(Scope, ONE))
    assert {subject for subject, _ in limits.of(call()).metered} == {
        Subject(Scope.ALL, "", ""),
        Subject(Scope.MODEL, "", "m"),
        Subject(Scope.KEY, "acme", "key"),
        Subject(Scope.USER, "acme", "ann"),
        Subject(Scope.ADDRESS, "", "192.0.2.1"),
    }


def test_who_is_nobody_has_no_limit_of_that_kind() -> None:
    """Without a key, a user or an address."""
    found = dict(Limits(dict.fromkeys(Scope, ONE)).of(call(Caller())).metered)
    assert {subject.scope for subject in found} == {Scope.ALL, Scope.MODEL}


def test_a_key_s_own_limits_come_before_those_of_its_name_and_of_all_keys() -> None:
    """Field by field."""
    limits = Limits({Scope.KEY: ONE}, keys={"key": TWO})
    caller = Caller("acme", "key", limits=CONCURRENT)
    found = dict(limits.of(call(caller)).metered)
    assert found[Subject(Scope.KEY, "acme", "key")] == CONCURRENT.over(TWO)
    other = dict(limits.of(call(Caller("acme", "other"))).metered)
    assert other[Subject(Scope.KEY, "acme", "other")] == ONE


def test_where_no_limit_is_set_nobody_is_looked_up() -> None:
    """Neither a key nor a model."""
    assert Limits().of(call()) == Applying((), (), ())


def test_a_model_may_have_limits_of_its_own() -> None:
    """The others have what any model has."""
    limits = Limits({Scope.MODEL: ONE}, models={"big": TWO})
    assert dict(limits.of(call(model="big")).metered)[Subject(Scope.MODEL, "", "big")] == TWO
    assert dict(limits.of(call(model="small")).metered)[Subject(Scope.MODEL, "", "small")] == ONE


def test_money_is_told_from_requests_and_tokens() -> None:
    """Who has limits of both kinds is among both."""
    budget, both = LimitSettings(money_per_day=1), LimitSettings(concurrency=1, money_per_month=2)
    found = Limits({Scope.KEY: ONE, Scope.USER: budget, Scope.ALL: both}).of(call())
    assert {subject.scope for subject, _ in found.metered} == {Scope.KEY, Scope.ALL}
    assert {subject.scope for subject, _ in found.budgeted} == {Scope.USER, Scope.ALL}


texts = st.sampled_from(["", "a", "b", "ab", "x" * 500])
callers = st.builds(
    Caller,
    tenant=texts,
    key=st.none() | texts,
    user=st.none() | texts,
    address=st.none() | texts,
    limits=st.sampled_from([None, CONCURRENT, LimitSettings(money_per_day=1)]),
)


@given(st.lists(st.tuples(callers, st.sampled_from("ab")), max_size=10))
def test_nobody_is_taken_for_another_who_was_here_before(calls: list[tuple[Caller, str]]) -> None:
    """What is remembered is what would be found anew."""
    scopes = dict.fromkeys(Scope, LimitSettings(requests_per_minute=1, money_per_month=1))
    remembering = Limits(scopes, keys={"a": TWO}, models={"b": TWO})
    for caller, model in calls:
        anew = Limits(scopes, keys={"a": TWO}, models={"b": TWO})
        asked = call(caller, model=model)
        assert remembering.of(asked) == anew.of(asked)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::7", "2001:db8:1:2::/64"),
        ("unix", "unix"),
        ("x" * 1000, "x" * 200),
    ],
)
def test_who_holds_a_network_has_one_limit_for_it(address: str, name: str) -> None:
    """An IPv6 address can be changed as often as one likes."""
    assert of_address(address) == Subject(Scope.ADDRESS, "", name)


def test_a_long_name_of_a_user_takes_no_more_room_than_a_short_one() -> None:
    """And is another's still."""
    one, other = of_user("acme", "x" * 10_000), of_user("acme", "x" * 10_001)
    assert one != other
    assert len(one.name) == 64
    assert of_user("acme", "\ud800" * 300).name
