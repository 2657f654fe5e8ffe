"""Checkpoints: a folder per saved step, whole or absent, and nothing in it is pickled.

| file | what |
|---|---|
| `model/` | weights, configuration and tokenizer, as `from_pretrained` reads them |
| `optimizer.safetensors` | the optimizer's tensors, by parameter and name |
| `arrays.npz` | the strategy's state, the buffer, the rollouts of its segments |
| `progress.json` | step, totals, rows of the record, random streams |
"""

import json
import re
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from report import atomic
from report.totals import Totals
from selection import Buffer, Selector, flatten, unflatten
from smallscale.models import save as save_model
from smallscale.progress import Judged, Progress
from smallscale.rollouts import Rollouts

KEPT = 2  # the newest, and the one before it in case a disk lies


class CorruptCheckpointError(ValueError):
    """A checkpoint that cannot be read; the message says what to do."""


def save(folder: Path, progress: Progress, model: Any, tokenizer: Any, optimizer: Any) -> Path:  # noqa: ANN401
    """The checkpoint of a run at its present step, under `folder`; older ones are removed.

    One that is there already is of the same state, and is left alone.

    Raises:
        UnwritableError: There is no room, or something is in its place.
    """
    atomic.folder(folder)
    place = folder / f"{progress.step:06d}"
    draft = folder / f".{place.name}.draft"
    if place.exists():
        return place
    with atomic.naming(place), tensors_written():
        for broken_off in folder.glob(".*.draft"):
            shutil.rmtree(broken_off, ignore_errors=True)
        try:
            draft.mkdir()
            save_model(model, tokenizer, draft / "model")
            save_file(_tensors(optimizer), draft / "optimizer.safetensors")
            np.savez(draft / "arrays.npz", allow_pickle=False, **_arrays(progress))
            (draft / "progress.json").write_text(json.dumps(_plain(progress)) + "\n")
            draft.rename(place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    for old in saved(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return place


@contextmanager
def tensors_written() -> Generator[None]:
    """A context in which what safetensors cannot write is an error of the file system."""
    try:
        yield
    except SafetensorError as error:
        raise OSError(str(error)) from error


def saved(folder: Path) -> list[Path]:
    """Checkpoints under a folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(entry for entry in folder.iterdir() if re.fullmatch(r"\d{6,}", entry.name))


def restore(
    place: Path,
    selector: Selector[Any],
    num_prompts: int,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
) -> Progress:
    """The progress of a checkpoint; weights and optimizer are set to what they were.

    Raises:
        CorruptCheckpointError: A file is missing, damaged or of another run.
    """
    try:
        _load_weights(place / "model", model)
        _load_optimizer(place / "optimizer.safetensors", optimizer)
        with np.load(place / "arrays.npz", allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        plain = json.loads((place / "progress.json").read_text())
        return _progress(plain, arrays, selector.init(num_prompts))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CorruptCheckpointError(
            f"{place} is no checkpoint of this run ({reason}): delete it and resume from the"
            " one before"
        ) from error


def _tensors(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The optimizer's tensors, named by the place of their parameter."""
    state: dict[int, dict[str, torch.Tensor]] = optimizer.state_dict()["state"]
    return {
        f"{place}.{name}": torch.as_tensor(value).contiguous()
        for place, values in state.items()
        for name, value in values.items()
    }


def _load_optimizer(file: Path, optimizer: torch.optim.Optimizer) -> None:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in load_file(file).items():
        place, _, name = key.partition(".")
        state.setdefault(int(place), {})[name] = tensor
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})


def _load_weights(folder: Path, model: torch.nn.Module) -> None:
    """Weights from the shards of a folder, into the very parameters the optimizer holds."""
    found: dict[str, torch.Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        found |= load_file(file)
    named = dict(model.named_parameters())  # tied parameters are named, and saved, once
    if set(found) != set(named):
        raise ValueError(f"weights {sorted(set(found) ^ set(named))[:3]} do not match")
    with torch.no_grad():
        for name, parameter in named.items():
            parameter.copy_(found[name])


def _arrays(progress: Progress) -> dict[str, np.ndarray]:
    """The arrays of a run, by name."""
    arrays = flatten(progress.buffer, "buffer") | flatten(progress.selection, "selection")
    for key, judged in progress.store.items():
        arrays |= flatten(judged, f"store.{key}")
    return arrays


def _plain(progress: Progress) -> dict[str, Any]:
    """What is no array, as JSON takes it."""
    return {
        "prompts": progress.prompts,
        "step": progress.step,
        "segments": progress.segments,
        "store": list(progress.store),
        "totals": asdict(progress.totals),
        "rows": progress.rows,
        "nature": progress.nature.bit_generator.state,
        "choice": progress.choice.bit_generator.state,
    }


def _progress(
    plain: dict[str, Any],
    arrays: dict[str, np.ndarray],
    template: Any,  # noqa: ANN401
) -> Progress:
    empty = Judged(Rollouts.none(), np.zeros(0, bool))
    return Progress(
        prompts=plain["prompts"],
        selection=unflatten(template, arrays, "selection"),
        buffer=unflatten(Buffer.empty(), arrays, "buffer"),
        nature=_stream(plain["nature"]),
        choice=_stream(plain["choice"]),
        store={key: unflatten(empty, arrays, f"store.{key}") for key in plain["store"]},
        segments=plain["segments"],
        totals=Totals(**plain["totals"]),
        step=plain["step"],
        rows=plain["rows"],
    )


def _stream(state: dict[str, Any]) -> np.random.Generator:
    stream = np.random.default_rng(0)
    stream.bit_generator.state = state
    return stream
