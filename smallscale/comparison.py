"""Runs side by side, finished or not, in the tables, pictures and page of the simulator."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from report.outputs import Story
from report.record import Record, label, load
from smallscale.run_directory import RunFolderError

BASELINE = "uniform"
FREE = {"strategy", "seed", "label"}  # what runs of one world may differ in


def records(folders: Iterable[Path]) -> list[Record]:
    """The records of run directories, in the order given.

    Raises:
        RunFolderError: A folder holds no record, or two runs cannot be told apart.
        CorruptRecord: A record is damaged.
    """
    found: dict[tuple[str, str, int], tuple[Path, Record]] = {}
    for folder in folders:
        file = folder / "record.json"
        if not file.is_file():
            raise RunFolderError(f"{folder} holds no run with an evaluation: no record.json")
        record = load(file)
        name = (record.world, record.strategy, record.seed)
        if name in found and found[name][0].resolve() == folder.resolve():
            raise RunFolderError(f"{folder} is named twice: once is enough")
        if name in found:
            raise RunFolderError(
                f"{folder} and {found[name][0]} are both {name[1]} with seed {name[2]}: give"
                " one another seed, or a name of its own by --set label=NAME"
            )
        found[name] = (folder, record)
    return [record for _, record in found.values()]


def differences(runs: Sequence[Record]) -> dict[str, dict[str, list[str]]]:
    """World -> setting -> its values, for settings in which the runs of a world differ."""
    found: dict[str, dict[str, list[str]]] = {}
    for world in dict.fromkeys(record.world for record in runs):
        same = [record.setting for record in runs if record.world == world]
        for key in dict.fromkeys(key for setting in same for key in setting):
            values = list(dict.fromkeys(str(setting.get(key)) for setting in same))
            if len(values) > 1 and key not in FREE:
                found.setdefault(world, {})[key] = values
    return found


def story(runs: Sequence[Record], command: str) -> Story:
    """What the report of a comparison of runs tells besides its numbers."""
    unlike = differences(runs)
    return Story(
        title="Which prompts to roll out: runs of a language model",
        descriptions={record.world: _description(record) for record in runs},
        assumptions={
            "runs": f"{len(runs)} runs of a language model, measured, not modelled",
            "seconds": "wall-clock seconds of selection, generation, verification, training and"
            " weight synchronization; evaluation and checkpoints excluded",
            "common random numbers": "runs under one seed share prompts, start and streams;"
            " once they order differently, their rollouts differ. Ratios are paired by seed",
        }
        | _unfinished(runs)
        | {
            f"not equal in {world}": "; ".join(
                f"{key}: {', '.join(values)}" for key, values in keys.items()
            )
            for world, keys in unlike.items()
        },
        command=command,
    )


def _unfinished(runs: Sequence[Record]) -> dict[str, str]:
    """Runs that ended, or stand, before their last training step."""
    short = [
        f"{one.strategy}, seed {one.seed} ({one.world}): {one.columns['step'][-1]:g} of {steps}"
        for one in runs
        if one.columns["step"][-1] < (steps := int(one.setting.get("steps", 0)))
    ]
    return {"training steps evaluated so far": "; ".join(short)} if short else {}


def _description(record: Record) -> str:
    setting = record.setting
    goal = f"Target: {label(record.progress)} {record.target:g}."
    if "model" not in setting:
        return f"A simulated world.\n{goal}"
    updates = setting["updates"] or f"one per {setting['mini_batch']} rollouts"
    return (
        f"Model {setting['model']}, prompts {setting['prompts']}, estimator"
        f" {setting['estimator']}; {setting['groups']} groups of {setting['rollouts']} rollouts"
        f" per training step; optimizer updates per training step: {updates}.\n{goal}"
    )
