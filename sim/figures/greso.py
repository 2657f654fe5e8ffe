"""GRESO (arXiv 2506.02177): its figures and tables, made again where that is possible."""

from sim.figures.entry import Entry
from sim.figures.greso_ablations import adaptive_batch, target
from sim.figures.greso_consistency import figure_3a, shares
from sim.figures.greso_hours import table_2
from sim.figures.greso_rollouts import figure_2
from sim.figures.greso_table1 import table_1
from sim.figures.greso_watched import case_study, exploration

PAPER = "GRESO, arXiv 2506.02177"
READABLE = "the body of the paper could not be read"

FIGURES: dict[str, Entry] = {
    "greso-1": Entry(
        paper="GRESO",
        title="Accuracy against rollouts",
        source=f"{PAPER}, Figure 1",
        how=None,
        missing="accuracy needs the training of Qwen2.5-Math-1.5B and -7B on 4 and 8 H100; the"
        " curves read off the image are in theory/data/greso_fig1.csv and checked in the"
        " ledger, their rollouts a training step in greso-table1",
    ),
    "greso-2": Entry(
        paper="GRESO",
        title="Cumulative rollouts of GRPO, dynamic sampling and GRESO",
        source=f"{PAPER}, Figure 2, bottom",
        how="simulation",
        seconds=9.0,
        make=figure_2,
    ),
    "greso-2-accuracy": Entry(
        paper="GRESO",
        title="Accuracy of GRPO and of dynamic sampling on six benchmarks",
        source=f"{PAPER}, Figure 2, bars",
        how=None,
        missing="needs the training of Qwen2.5-Math-7B and six benchmarks",
    ),
    "greso-2-mixed": Entry(
        paper="GRESO",
        title="Share of mixed groups over training",
        source=f"{PAPER}, Figure 2(b)",
        how=None,
        missing="its published values could not be read; the share that the cumulative rollouts"
        " imply is in greso-2, the simulated one in greso-shares",
    ),
    "greso-3a": Entry(
        paper="GRESO",
        title="Temporal consistency of zero-variance prompts",
        source=f"{PAPER}, Figure 3(a)",
        how="simulation",
        seconds=1.0,
        make=figure_3a,
    ),
    "greso-shares": Entry(
        paper="GRESO",
        title="Share of zero-variance groups per epoch",
        source=f"{PAPER}, text, and what Figure 3(a) implies",
        how="simulation",
        seconds=1.0,
        make=shares,
    ),
    "greso-table1": Entry(
        paper="GRESO",
        title="Rollouts of dynamic sampling over GRESO's",
        source=f"{PAPER}, Table 1",
        how="simulation",
        seconds=15.0,
        make=table_1,
    ),
    "greso-table1-accuracy": Entry(
        paper="GRESO",
        title="Accuracy on six benchmarks, three models and two data sets",
        source=f"{PAPER}, Table 1",
        how=None,
        missing="needs twelve training runs of 1.5B and 7B models; the averages in print are"
        " recomputed in the ledger",
    ),
    "greso-table2": Entry(
        paper="GRESO",
        title="Hours of rollout, training and the rest",
        source=f"{PAPER}, Table 2",
        how="simulation",
        seconds=9.0,
        make=table_2,
    ),
    "greso-adaptive-batch": Entry(
        paper="GRESO",
        title="Rollouts with and without orders sized by what is missing",
        source=f"{PAPER}, ablation of the adaptive batch; its values could not be read",
        how="simulation",
        seconds=20.0,
        make=adaptive_batch,
    ),
    "greso-target": Entry(
        paper="GRESO",
        title="Rollouts by the targeted share of zero-variance groups",
        source=f"{PAPER}, ablation of the target; its values could not be read",
        how="simulation",
        seconds=16.0,
        make=target,
    ),
    "greso-exploration": Entry(
        paper="GRESO",
        title="Exploration probabilities over training",
        source=f"{PAPER}, selection dynamics; its values could not be read",
        how="simulation",
        seconds=2.0,
        make=exploration,
    ),
    "greso-fixed-exploration": Entry(
        paper="GRESO",
        title="Fixed exploration probabilities and linear back-off",
        source=f"{PAPER}, ablation",
        how=None,
        missing=f"{READABLE}, neither settings nor values; the released linear back-off raises"
        " TypeError (Infini-AI-Lab/GRESO @ b2778431)",
    ),
    "greso-case-study": Entry(
        paper="GRESO",
        title="Prompts rolled out and skipped, by epoch",
        source=f"{PAPER}, case study; an image without readable values",
        how="simulation",
        seconds=1.5,
        make=case_study,
    ),
}
