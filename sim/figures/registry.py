"""Every figure and table of the papers, by key.

A key is the paper's name and the number in it, or what is shown where the number could not be
read. Each paper has modules of its own; here they are one table.
"""

from selection.settings import nearest
from sim.figures import (
    across_allocation,
    across_index,
    across_limits,
    across_signal,
    cures_allocation,
    cures_beliefs,
    cures_curves,
    cures_gvm,
    cures_norms,
    cures_rules,
    cures_speedups,
    cures_sweep,
    cures_table,
    greso,
    mopps,
    speed_ablation,
    speed_confound,
    speed_curves,
    speed_pass_rates,
    speed_scheduler,
    speed_table1,
    speed_theory,
    speed_training,
)
from sim.figures.entry import Entry

MODULES = (
    speed_table1,
    speed_curves,
    speed_pass_rates,
    speed_theory,
    speed_scheduler,
    speed_training,
    speed_ablation,
    speed_confound,
    greso,
    mopps,
    cures_rules,  # by number in the paper, from here
    cures_curves,
    cures_beliefs,
    cures_allocation,
    cures_sweep,
    cures_speedups,
    cures_norms,
    cures_table,
    cures_gvm,
    across_limits,
    across_allocation,
    across_signal,
    across_index,
)
FIGURES: dict[str, Entry] = {
    key: entry for module in MODULES for key, entry in module.FIGURES.items()
}


def figure(key: str) -> Entry:
    """The entry of a key.

    Raises:
        SettingError: There is none; the message names the nearest key.
    """
    if key not in FIGURES:
        raise nearest(key, list(FIGURES), "figure")
    return FIGURES[key]
