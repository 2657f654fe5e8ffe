"""GRESO (arXiv 2506.02177; Infini-AI-Lab/GRESO @ b2778431): skipping and refilling."""

import numpy as np

from theory import refilling, skipping
from theory.finding import Finding, agree, everywhere, under_condition
from theory.published import reported, table


def skip_rule() -> Finding:
    """GRESO-06: 1 - p_e^z as printed and as released, by streak; then a streak of two kinds."""
    explore, floor = reported("greso.explore"), reported("greso.floor")
    streaks = np.arange(13)
    printed = skipping.skip_probability(explore, streaks)
    released = skipping.skip_probability(explore, streaks, floor)
    agree(printed, [1.0 - explore**z for z in range(13)])
    agree(released, [1.0 - max(explore**z, floor) for z in range(13)])
    two, one = (float(skipping.skip_probability(explore, z, floor)) for z in (2, 1))
    same = np.isclose(printed, released)
    return under_condition(
        same[:7],
        [*same[7:], np.isclose(two, one)],
        f"equal up to z=6; z=7: {printed[7]:.4f} printed, {released[7]:.2f} released; all-pass "
        f"then all-fail: {two:.2f} printed (z=2), {one:.2f} released (hard run of 1)",
    )


def reachable() -> Finding:
    """GRESO-07: long-run visits of a prompt that is always, or almost always, zero-variance."""
    explore, floor = reported("greso.explore"), reported("greso.floor")
    dead = np.linspace(0.0, 1.0, 101)
    rates = skipping.visit_rate(dead, explore, floor)
    bare = skipping.visit_rate(np.array([0.49, 0.5, 0.9, 1.0]), explore)
    streaks = np.arange(400)
    gaps = skipping.expected_gap(explore, streaks, floor)
    for w in (0.3, 0.7, 0.95):
        cycle = (1.0 - w) * (
            w**streaks * np.cumsum(gaps)
        ).sum()  # epochs to the next mixed group
        agree(float(skipping.visit_rate(w, explore, floor)), 1.0 / (1.0 - w) / cycle, 1e-6)
    longer = skipping.expected_gap(explore, streaks[:300])
    cycle = 0.7 * (0.3 ** streaks[:300] * np.cumsum(longer)).sum()
    agree(float(skipping.visit_rate(0.3, explore)), 1.0 / 0.7 / cycle, 1e-6)
    visits = float(skipping.expected_visits(explore, 1000, floor))
    none = float(skipping.expected_visits(explore, 1000))
    return everywhere(
        rates >= floor,
        f"rate at least {rates.min():.2f} with the released floor; by the printed rule "
        f"{bare[0]:.2f} at w=.49 and 0 from w=p_e={explore} on; visits of a dead prompt in "
        f"1,000 epochs: {visits:.1f} with the floor, {none:.1f} without",
    )


def targets_are_tracked() -> Finding:
    """GRESO-26: the controller where the share follows it, and as 0/1 rewards feed it."""
    goal, start = reported("greso.target"), reported("greso.explore")
    explore, seen = start, np.zeros(400)
    for t in range(seen.size):  # a share that rises with exploration and passes the target
        seen[t] = 0.3 * explore + 0.0801
        explore = float(skipping.explore_path(explore, seen[t : t + 1], 0.2)[-1])
    reach = 0.3 * float(skipping.ripple(0.01))
    hard = skipping.explore_path(start, np.zeros(400), 2.0 * goal / 3.0)
    easy = skipping.explore_path(start, np.full(400, goal / 3.0 + 0.01), goal / 3.0)[-1]
    agree(hard[:60], np.minimum(start + 0.01 * np.arange(60), 0.95))
    ends = np.array([easy, hard[-1]])
    agree(float((np.abs(seen[200:] - 0.2) <= reach).all()), 1.0)
    return everywhere(
        (ends > 0.05 + 1e-9) & (ends < 0.95 - 1e-9),
        f"a responsive share stays within {np.abs(seen[200:] - 0.2).max():.4f} of its "
        "target; the "
        f"hard share of 0/1 rewards is 0 as released and p_hard ends at {hard[-1]:.2f}; "
        "an easy "
        f"share that stays one point above its target takes p_easy to {easy:.2f}",
    )


def adaptive_orders() -> Finding:
    """GRESO-27: prompts per batch with orders sized by what is missing, and with whole ones."""
    groups, prompts = int(reported("greso.groups")), int(reported("greso.prompts"))
    shares = np.array([0.05, 0.1, 0.2, 0.3, 0.5, 0.6, 0.65, 0.75, 0.8, 0.9])
    whole = prompts * refilling.expected_rounds(groups, prompts, shares)
    agree(whole[:1], prompts * refilling.capped_rounds(groups, prompts, shares[:1], 60), 1e-6)
    sized = np.array(
        [refilling.adaptive_cost(groups, float(s), prompts).prompts for s in shares]
    )
    saved = whole / sized
    agree(float((saved >= 1.0 - 1e-9).all()), 1.0)  # never more
    return under_condition(
        saved[:7] > 1.01,
        saved[7:] > 1.01,
        f"whole orders cost {saved[0]:.2f} times as much at mixed share .05, {saved[2]:.2f} at "
        f".2, {saved[4]:.2f} at .5, {saved[5]:.2f} at .6, {saved[7]:.2f} at .75",
    )


def plain_cost() -> Finding:
    """GRESO-22: rollouts of GRPO in 1,000 training steps, in millions."""
    spent = reported("greso.groups") * reported("greso.rollouts") * 1000 / 1e6
    return everywhere(
        round(spent, 2) == reported("greso.grpo_rollouts_millions"),
        f"256 * 8 * 1000 = {spent}M",
    )


def first_order_floor() -> Finding:
    """GRESO-34: rollouts per training step of Figure 1 (1.5B) against one first order."""
    spent = np.array(
        [
            float(row["rollouts_millions"])
            for row in table("greso_fig1")
            if (row["model"], row["run"]) == ("1.5B", "greso")
        ]
    )
    per_step = 1e6 * (spent[-1] - spent[0]) / (50.0 * (spent.size - 1))
    least = reported("greso.prompts") * reported("greso.rollouts")
    most = (reported("greso.prompts") + reported("greso.chunk") - 1) * reported(
        "greso.rollouts"
    )
    return everywhere(
        per_step > most * 1.02,  # the image is read to .02M of 3.3M
        f"{per_step:.0f} rollouts per training step of a run that must order at least "
        f"{least:.0f} and, with one order, at most {most:.0f}: a better skip rule could "
        "not show",
    )
