"""MoPPS (arXiv 2507.04632): its figures and ablations, made again where that is possible."""

from sim.figures.entry import Entry
from sim.figures.mopps_batches import informative, warm_start
from sim.figures.mopps_beliefs import error_bound, memory
from sim.figures.mopps_prediction import prediction
from sim.figures.mopps_rollouts import rollouts

PAPER = "MoPPS, arXiv 2507.04632"
UNREAD = "its values could not be read"

FIGURES: dict[str, Entry] = {
    "mopps-1": Entry(
        paper="MoPPS",
        title="Rank correlation of predicted and observed pass rate, by five definitions",
        source=f"{PAPER}, Figure 1; the claim second-hand",
        how="simulation",
        seconds=9.0,
        make=prediction,
    ),
    "mopps-rollouts": Entry(
        paper="MoPPS",
        title="Rollouts to a target, and orders of dynamic sampling",
        source=f"{PAPER}, Figures 2 and 5; values second-hand",
        how="simulation",
        seconds=2.5,
        make=rollouts,
    ),
    "mopps-mixed": Entry(
        paper="MoPPS",
        title="Share of mixed groups in the batch, by strategy of selection",
        source=f"{PAPER}, ablation of the strategy; {UNREAD}",
        how="simulation",
        seconds=7.0,
        make=informative,
    ),
    "mopps-memory": Entry(
        paper="MoPPS",
        title="What the memory of the belief trades",
        source=f"{PAPER}, ablation of the discount; {UNREAD}",
        how="simulation",
        seconds=12.0,
        make=memory,
    ),
    "mopps-warm-start": Entry(
        paper="MoPPS",
        title="Mixed groups and signal with and without a warm start",
        source=f"{PAPER}, ablation of the prior; {UNREAD}",
        how="simulation",
        seconds=4.0,
        make=warm_start,
    ),
    "mopps-bound": Entry(
        paper="MoPPS",
        title="Error of the belief mean under a loose and a tight bound",
        source=f"{PAPER}, theorem, as quoted; the tight form is ours",
        how="simulation",
        seconds=0.5,
        make=error_bound,
    ),
    "mopps-accuracy": Entry(
        paper="MoPPS",
        title="Accuracy on MATH, Countdown and Geometry3k",
        source=f"{PAPER}, Table 1 and Figure 5",
        how=None,
        missing="needs the training of 1.5B to 7B models; of its values only two averages of"
        " MATH are known, second-hand, with the rollouts compared in mopps-rollouts",
    ),
    "mopps-hours": Entry(
        paper="MoPPS",
        title="Hours of training by strategy",
        source=f"{PAPER}, tables of run times",
        how=None,
        missing=f"{UNREAD}, and neither lengths of rollouts nor the machines' throughput are"
        " published",
    ),
    "mopps-algorithms": Entry(
        paper="MoPPS",
        title="Selection under other policy-gradient algorithms",
        source=f"{PAPER}, table of algorithms",
        how=None,
        missing=f"{UNREAD}; in simulation the algorithm changes the direction of an update and"
        " not which prompts are selected, so that it would show nothing",
    ),
}
