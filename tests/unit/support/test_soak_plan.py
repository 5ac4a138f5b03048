"""What the soak draws of a seed covers what it promises."""

from __future__ import annotations

import pytest

from tests.support.soak_fire import Plan

SEEDS = range(1, 21)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plan_has_ten_blows_at_workers_and_one_at_the_broker_between_them(seed: int) -> None:
    victims = [blow.victim for blow in Plan.drawn(seed).blows]
    assert victims.count(None) == 1
    assert None not in (victims[0], victims[-1])
    assert len(victims) - 1 >= 10


def test_the_same_seed_draws_the_same_plan() -> None:
    assert Plan.drawn(3) == Plan.drawn(3) != Plan.drawn(4)


def test_four_seeds_in_a_row_have_every_pair_of_membership_and_state() -> None:
    for first in SEEDS:
        plans = [Plan.drawn(seed) for seed in range(first, first + 4)]
        assert len({(plan.static, plan.state) for plan in plans}) == 4


def test_both_workers_and_the_broker_are_struck_in_both_ways() -> None:
    struck = {(blow.victim, blow.how.name) for seed in SEEDS for blow in Plan.drawn(seed).blows}
    assert struck == {(victim, how) for victim in (0, 1, None) for how in ("SIGKILL", "SIGTERM")}
