"""GRESO (arXiv 2506.02177): its tables and curves, and temporal consistency in public logs."""

import numpy as np
from scipy.special import betaincinv

from theory import consistency, limits, skipping
from theory.finding import Finding, agree, everywhere, under_condition
from theory.published import column, dsr_transitions, reported, table

STATIC = (0.349, 0.707)  # Beta fitted to the first visits of the trajectories, by likelihood
ROLLOUTS = 8


def persistence() -> Finding:
    """GRESO-01, on public trajectories, and what pass rates that never move explain."""
    visits = dsr_transitions()
    edge, mixed = visits[[0, 8]], visits[1:8]
    after_zero = edge[:, [0, 8]].sum() / edge.sum()
    after_mixed = mixed[:, [0, 8]].sum() / mixed.sum()
    static = consistency.belief_persistence(*STATIC, ROLLOUTS)
    first, second = (limits.Beta(*STATIC).moment(i, i) for i in (1.0, 2.0))  # w = 1 - 2v, N = 2
    pairs = consistency.belief_persistence(*STATIC, 2)
    agree(float(pairs.zero_variance), (1.0 - 4.0 * first + 4.0 * second) / (1.0 - 2.0 * first))
    nodes = betaincinv(*STATIC, (np.arange(4000) + 0.5) / 4000)
    w = nodes**ROLLOUTS + (1.0 - nodes) ** ROLLOUTS
    agree(float(static.zero_variance), (w**2).mean() / w.mean(), 1e-3)
    streaks = consistency.streak_persistence(w, np.arange(12))
    agree(float(np.diff(streaks).min() >= 0.0), 1.0)
    return everywhere(
        after_zero > after_mixed,
        f"P(zero-variance | zero-variance before) = {after_zero:.3f}, after a mixed group "
        f"{after_mixed:.3f}; pass rates that never move give {float(static.zero_variance):.3f} "
        f"and {float(static.mixed):.3f}",
    )


def share_seen_before() -> Finding:
    """GRESO-04: over 90 % of zero-variance prompts were so before, by epoch of Figure 3(a)."""
    epochs, shares = column("greso_fig3a", "epoch"), column("greso_fig3a", "previous_given_now")
    late = epochs >= 5
    return under_condition(
        shares[late] > 0.9,
        shares[~late] > 0.9,
        f"{shares[0]:.3f} in epoch 2, {shares[2]:.3f} in 4, {shares[3]:.3f} in 5, "
        f"{shares[-1]:.3f} in 10",
    )


def share_trainable_again() -> Finding:
    """GRESO-05: about 20 % return to being mixed, in the figure and on other trajectories."""
    figure = 1.0 - column("greso_fig3a", "now_given_previous")
    seen = 1.0 - column("dsr_sub_consistency", "both") / column(
        "dsr_sub_consistency", "any_previous"
    )
    return under_condition(
        np.abs(figure - 0.2) < 0.05,
        np.abs(seen - 0.2) < 0.05,
        f"figure {figure.min():.3f} to {figure.max():.3f}; 1.5B trajectories "
        f"{seen[0]:.3f} at the "
        f"second visit, rising to {seen[-1]:.3f} at the 44th",
    )


def population_drifts() -> Finding:
    """GRESO-31: zero-variance shares implied by Figure 3(a), against a static population."""
    back, ahead = (
        column("greso_fig3a", k) for k in ("previous_given_now", "now_given_previous")
    )
    shares = consistency.implied_shares(back, ahead)
    w = np.linspace(0.0, 1.0, 101)
    still = consistency.static_consistency(w, np.arange(1, 10))
    agree(
        consistency.implied_shares(still.previous_given_now(), still.now_given_previous()), 1.0
    )
    agree(float((np.diff(still.now_given_previous()) < 0.0).all()), 1.0)
    return everywhere(
        np.isclose(shares, 1.0, atol=0.05),
        f"zero-variance share of epoch 2 is {shares[1]:.2f} times that of epoch 1, of epoch 10 "
        f"{shares[-1]:.2f} times; a static population has 1 throughout",
    )


def printed_ratios() -> Finding:
    """GRESO-32: speedups and averages of Table 1, from its other columns."""
    rows = table("greso_table1")
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    spent = [float(a["rollouts_millions"]) / float(b["rollouts_millions"]) for a, b in pairs]
    printed = [float(a["printed_ratio"]) for a, _ in pairs]
    keys = ("MATH500", "AIME24", "AMC", "Gaokao", "Minerva", "Olympiad")
    means = np.array([np.mean([float(row[key]) for key in keys]) for row in rows])
    off = np.abs(means - column("greso_table1", "average"))
    return everywhere(
        np.concatenate([np.abs(np.array(spent) - printed) <= 0.0051, off <= 0.0501]),
        f"ratios {', '.join(f'{ratio:.2f}' for ratio in spent)}; averages within "
        f"{off.max():.2f}",
    )


def printed_hours() -> Finding:
    """GRESO-33: totals and speedups of Table 2, from its components."""
    parts = [column("greso_table2", f"{key}_hours") for key in ("training", "other", "rollout")]
    total = column("greso_table2", "total_hours")
    off = np.abs(np.sum(parts, axis=0) - total)
    ratios = np.array([parts[2][::2] / parts[2][1::2], total[::2] / total[1::2]])
    printed = np.array(
        [column("greso_table2", f"printed_{key}_ratio")[::2] for key in ("rollout", "total")]
    )
    return everywhere(
        np.concatenate([off <= 0.11, (np.abs(ratios - printed) <= 0.051).ravel()]),
        f"components sum to totals within {off.max():.1f} h; rollout hours fall "
        f"{', '.join(f'{x:.2f}' for x in ratios[0])}x, totals "
        f"{', '.join(f'{x:.2f}' for x in ratios[1])}x",
    )


def accuracy_kept() -> Finding:
    """GRESO-21: GRESO less dynamic sampling in Table 1, as averages and by benchmark."""
    rows = table("greso_table1")
    keys = ("MATH500", "AIME24", "AMC", "Gaokao", "Minerva", "Olympiad", "average")
    scores = np.array([[float(row[key]) for key in keys] for row in rows])
    changes = scores[1::2] - scores[::2]
    means = changes[:, :-1].mean(axis=1)
    agree(means, changes[:, -1], 0.1)  # the printed averages are rounded
    return under_condition(
        changes[:, -1] >= -0.5 - 1e-9,
        changes[:, :-1] >= -0.5 - 1e-9,
        f"printed averages {changes[:, -1].min():+.1f} to {changes[:, -1].max():+.1f} points "
        f"(recomputed {means.min():+.2f} to {means.max():+.2f}); single "
        f"benchmarks {changes[:, :-1].min():+.1f} to {changes[:, :-1].max():+.1f}, one "
        "run each",
    )


def implied_persistence() -> Finding:
    """GRESO-35: 1 - p_e^z against how often a streak goes on in the trajectories."""
    explore = reported("greso.explore")
    streaks = column("dsr_sub_streaks", "streak")
    stays = column("dsr_sub_streaks", "same_again") / column("dsr_sub_streaks", "visits")
    implied = skipping.skip_probability(explore, streaks)
    off = implied - stays
    first = streaks == 1
    return under_condition(
        np.abs(off[first]) < 0.03,
        np.abs(off[~first]) < 0.03,
        "z = 1/2/4/8: all-fail streaks go on with "
        + "/".join(f"{stays[z - 1]:.2f}" for z in (1, 2, 4, 8))
        + ", the rule skips with "
        + "/".join(f"{implied[z - 1]:.2f}" for z in (1, 2, 4, 8)),
    )
