"""GRESO from within: exploration probabilities over training, and which prompts it skips.

The strategy is watched, not changed: `Watched` is GRESO with a note taken at the end of every
training batch and at every decision to roll out or to skip. Notes are of one seed; another
has much the same course, for the shares are those of hundreds of prompts a training step.

The case study of the paper is an image of prompts and epochs whose values cannot be read; here
the prompts are the first of the population, which are in no order, arranged by how often they
are skipped. An epoch is a pass over the data set: GRESO considers more prompts a training step
than it rolls out, so its passes are shorter than those of GRPO.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from report.style import looks
from selection.greso import Greso, History
from sim.figures.entry import Drawn
from sim.figures.greso_runs import GRESO, PACES, ROLLOUTS, STEPS, Setting
from sim.figures.layout import COLUMN, PAGE, grid, legend_below
from sim.run import simulate

KINDS = ("easy", "hard")
LOOKS = dict(zip(KINDS, looks(["greso:easy", "greso:hard"]).values(), strict=True))
WINDOW = 25  # training steps over which shares are averaged
SHOWN, PASSES = 80, 12  # prompts and epochs of the case study
UNSEEN, KEPT, SKIPPED_EASY, SKIPPED_HARD = range(4)
CELLS = (
    ("not yet considered", "#ffffff"),
    ("rolled out", "#009e73"),
    ("skipped, easy", "#cfcfcf"),
    ("skipped, hard", "#333333"),
)


class Closed(NamedTuple):
    """A training batch as it closes: what was adapted, and the shares that decided it."""

    explore_easy: float
    explore_hard: float
    share_easy: float
    share_hard: float


class Considered(NamedTuple):
    """Decisions about the prompts of a chunk."""

    prompts: Int[np.ndarray, "K"]
    kept: Bool[np.ndarray, "K"]
    easy: Bool[np.ndarray, "K"]  # whether the last group was all passes


@dataclass(frozen=True, kw_only=True)
class Watched(Greso):
    """GRESO that takes notes.

    Attributes:
        closed: A note per training batch.
        considered: A note per chunk of prompts considered.
    """

    closed: list[Closed] = field(default_factory=list[Closed])
    considered: list[Considered] = field(default_factory=list[Considered])

    def adapt(self, state: History) -> History:
        """As GRESO's."""
        after = super().adapt(state)
        shares = (state.easy / state.generated, state.hard / state.generated)
        self.closed.append(Closed(after.explore_easy, after.explore_hard, *shares))
        return after

    def keep(
        self, state: History, prompts: Int[np.ndarray, "K"], rng: np.random.Generator
    ) -> Bool[np.ndarray, "K"]:
        """As GRESO's."""
        kept = super().keep(state, prompts, rng)
        easy = state.streaks.easy[prompts] > 0
        self.considered.append(Considered(prompts, kept, easy))
        return kept


@cache
def watched(setting: Setting, pace: int) -> Watched:
    """GRESO after a run of one seed, with its notes."""
    selector = Watched(rollouts=ROLLOUTS, chunk=32)
    simulate(replace(setting.plan(GRESO, pace), strategy=lambda _: selector), seed=0)
    return selector


def exploration(fraction: float) -> Drawn:
    """Exploration probabilities and shares of easy and hard groups, at both paces."""
    setting = Setting(fraction=fraction)
    figure, axes = grid(PAGE, 4.6, 2, 2, sharex="all", sharey="row")
    parts = [
        _course([row[place] for row in axes], setting, pace) for place, pace in enumerate(PACES)
    ]
    axes[0][0].set(ylabel="exploration probability", ylim=(0.0, 1.0))
    axes[1][0].set(ylabel="share of generated groups", ylim=(0.0, None))
    legend_below(figure, axes[1], 4)
    numbers = pd.concat(parts)
    return Drawn(figure=figure, numbers=numbers, remarks=_ends(numbers))


def _course(column: Sequence[Axes], setting: Setting, pace: int) -> pd.DataFrame:
    """A column of panels: one pace."""
    above, below = column
    selector = watched(setting, pace)
    notes = np.array(selector.closed)
    steps = np.arange(1, len(notes) + 1) * STEPS / setting.sizes.steps
    for place, kind in enumerate(KINDS):
        look = LOOKS[kind]
        above.plot(steps, notes[:, place], color=look.color, linestyle=look.line)
        average = smooth(notes[:, 2 + place])
        below.plot(steps, average, color=look.color, linestyle=look.line, label=kind)
        goal = selector.target * (place + 1) / 3
        below.axhline(goal, color=look.color, linewidth=0.8, label=f"target, {kind}")
    above.set_title(f"pace {pace}")
    below.set_xlabel("training step")
    shown = {name: notes[:, place] for place, name in enumerate(Closed._fields)}
    return pd.DataFrame({"pace": pace, "step": steps} | shown)


def smooth(values: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T"]:
    """Mean of the last `WINDOW` values, or of as many as there are."""
    totals = np.cumsum(values)
    before = np.concatenate((np.zeros(min(WINDOW, values.size)), totals[:-WINDOW]))
    return (totals - before) / np.minimum(np.arange(1, values.size + 1), WINDOW)


def _ends(numbers: pd.DataFrame) -> str:
    """Where the probabilities end."""
    parts: list[str] = []
    for pace in PACES:
        notes = np.array(numbers.loc[numbers["pace"] == pace, list(Closed._fields)])
        late = notes[-max(1, len(notes) // 10) :].mean(axis=0)
        parts.append(
            f"At pace {pace} the exploration probabilities end at {notes[-1, 0]:.2f} (easy) and"
            f" {notes[-1, 1]:.2f} (hard); the shares of the last tenth are {late[2]:.2f} and"
            f" {late[3]:.2f}, for targets of .08 and .17."
        )
    return " ".join(parts) + (
        " While a probability is at a bound, .05 or .95, its share goes where it will."
    )


def decisions(
    selector: Watched, prompts: int, passes: int
) -> Int[np.ndarray, "prompts passes"]:
    """What became of each of the first prompts in each of the first passes."""
    cells = np.full((prompts, passes), UNSEEN)
    done = np.zeros(prompts, int)
    for note in selector.considered:
        for place in np.flatnonzero(note.prompts < prompts):
            prompt = note.prompts[place]
            if done[prompt] < passes:
                skipped = SKIPPED_EASY if note.easy[place] else SKIPPED_HARD
                cells[prompt, done[prompt]] = KEPT if note.kept[place] else skipped
            done[prompt] += 1
    return cells


def case_study(fraction: float) -> Drawn:
    """The heat map of prompts and epochs."""
    setting = Setting(fraction=fraction)
    cells = decisions(watched(setting, 1), SHOWN, PASSES)
    lean = (cells == SKIPPED_EASY).sum(axis=1) - (cells == SKIPPED_HARD).sum(axis=1)
    cells = cells[np.argsort(lean, kind="stable")]
    figure, ((panel,),) = grid(COLUMN, 4.6)
    panel.imshow(
        cells,
        cmap=ListedColormap([color for _, color in CELLS]),
        vmin=-0.5,
        vmax=len(CELLS) - 0.5,
        aspect="auto",
        interpolation="nearest",
    )
    panel.set_xticks(np.arange(PASSES) + 0.5, minor=True)
    panel.set_yticks(np.arange(SHOWN) + 0.5, minor=True)
    panel.grid(visible=False, which="major")
    panel.grid(which="minor", color="white", linewidth=0.5)
    panel.tick_params(which="minor", length=0)
    panel.set_xticks(range(PASSES), [str(epoch + 1) for epoch in range(PASSES)])
    panel.set(
        xlabel="epoch (pass over the data set)", ylabel="prompts, by their skips", yticks=[]
    )
    patches = [
        Patch(facecolor=color, edgecolor="#888888", label=name)
        for kind, (name, color) in enumerate(CELLS)
        if (cells == kind).any()
    ]
    figure.legend(handles=patches, loc="outside lower center", ncols=2)
    return Drawn(figure=figure, numbers=_cells(cells), remarks=_skips(cells))


def _cells(cells: Int[np.ndarray, "prompts passes"]) -> pd.DataFrame:
    """A row per cell, prompts from the top down."""
    row, epoch = np.indices(cells.shape)
    names = np.array([name for name, _ in CELLS])
    shown = {"row": row.ravel(), "epoch": epoch.ravel() + 1, "cell": names[cells.ravel()]}
    return pd.DataFrame(shown)


def _skips(cells: Int[np.ndarray, "prompts passes"]) -> str:
    """How the shares of the three kinds change."""
    whole = cells[:, (cells != UNSEEN).all(axis=0)]
    first, last = whole[:, 1] if whole.shape[1] > 1 else whole[:, 0], whole[:, -1]
    return (
        f"All {len(cells)} prompts are rolled out in epoch 1. In epoch {whole.shape[1]},"
        f" {np.mean(last == KEPT):.0%} are (epoch 2: {np.mean(first == KEPT):.0%}),"
        f" {np.mean(last == SKIPPED_EASY):.0%} are skipped as easy and"
        f" {np.mean(last == SKIPPED_HARD):.0%} as hard."
    )
