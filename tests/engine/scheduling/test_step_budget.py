"""A shortage of memory makes the next steps smaller, for a while."""

from stormproof.engine.scheduling.step_budget import StepBudget


def test_half_of_what_was_too_much_is_allowed_and_all_again_by_and_by() -> None:
    budget = StepBudget(128)
    budget.shrink(100)
    assert (budget.tokens, budget.shortages) == (50, 1)
    grown = []
    while budget.tokens < 128:
        budget.grow()
        grown.append(budget.tokens)
    assert grown[:2] == [52, 54]
    assert grown[-1] == 128
    budget.grow()
    assert budget.tokens == 128


def test_a_token_may_always_be_read() -> None:
    budget = StepBudget(4)
    for _ in range(5):
        budget.shrink(1)
    assert budget.tokens == 1
    budget.grow()
    assert budget.tokens == 2
