"""The training loop: one training step after another, and what is remembered between them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from safetensors.numpy import save_file

from report import atomic
from selection import StarvedError
from smallscale import checkpoints
from smallscale.assembly import Parts
from smallscale.evaluation import evaluate
from smallscale.learner import Batch, DivergedError
from smallscale.progress import Progress
from smallscale.reading import readable
from smallscale.run_directory import RunDirectory, RunFolderError
from smallscale.stopping import Stop, StoppedError
from smallscale.turn import Turn

Report = Callable[[Mapping[str, Any]], None]


@dataclass
class Trainer:
    """A run: what it is made of, where it writes, and how far it is.

    Attributes:
        parts: What does the work.
        folder: Where it writes.
        progress: How far it is.
        stop: Whether it was asked to stop.
        reports: Called with the metrics of every training step.
    """

    parts: Parts
    folder: RunDirectory
    progress: Progress
    stop: Stop = field(default_factory=Stop)
    reports: Sequence[Report] = ()

    @classmethod
    def begin(cls, parts: Parts, folder: RunDirectory, **rest: Any) -> "Trainer":  # noqa: ANN401
        """A run at its start, or where its newest checkpoint left it.

        Raises:
            CorruptCheckpointError: That checkpoint cannot be read.
            RunFolderError: It is of a run on other prompts.
        """
        progress = _found(parts, folder)
        folder.rewind(progress.step)
        begun = cls(parts, folder, progress, **rest)
        if not progress.rows:
            begun._evaluate()
        return begun

    def run(self, until: int | None = None) -> str:
        """Train to the last step or another, or until stopped or starved; says how it ended.

        Raises:
            DivergedError: A loss or gradient is not finite; the batch is saved.
            ValueError: The first training batch cannot be filled.
        """
        last = self.parts.config.steps if until is None else until
        while self.progress.step < last:
            try:
                self._remember(self.step())
            except StoppedError:
                self.save()
                return f"stopped after training step {self.progress.step}: --resume goes on"
            except StarvedError as error:
                return self._starved(error)
        return f"finished {self.progress.step} training steps"

    def step(self) -> dict[str, Any]:
        """The metrics of one training step, once it is taken."""
        turn = Turn(self.parts, self.progress.copy(), self.stop)
        segments = turn.collect()
        batch = turn.batch(segments)
        try:
            learned = turn.learn(segments, batch)
        except DivergedError as error:
            step = turn.now.step + 1
            raise DivergedError(
                f"training step {step}: {error}; {self._save_batch(batch, step)}"
            ) from error
        self.progress = turn.now
        if self._due("show_every"):
            self.folder.show(turn.now.step, readable(self.parts, segments, batch))
        return turn.describe(segments, learned)

    def save(self) -> None:
        """Write a checkpoint."""
        parts, folder = self.parts, self.folder.path / "checkpoints"
        checkpoints.save(folder, self.progress, parts.model, parts.tokenizer, parts.optimizer)

    def _remember(self, metrics: Mapping[str, Any]) -> None:
        """Write what a training step leaves behind."""
        if self._due("evaluate_every"):
            metrics = {**metrics, **self._evaluate()}
        self.folder.log(metrics)
        for report in self.reports:
            report(metrics)
        if self._due("checkpoint_every"):
            self.save()

    def _due(self, key: str) -> bool:
        step, config = self.progress.step, self.parts.config
        return step % int(getattr(config, key)) == 0 or step == config.steps

    def _evaluate(self) -> dict[str, float]:
        """Metrics of an evaluation, which is also a row of the record."""
        found = evaluate(self.parts, seed=self.parts.config.seed)
        row = self.progress.totals.row(self.progress.step, found["evaluation/accuracy"])
        self.progress.rows.append(row)
        self.folder.record(self.parts.config, self.progress.rows)
        return found

    def _starved(self, error: StarvedError) -> str:
        step = self.progress.step
        if not step:
            raise ValueError(f"the first training batch cannot be filled: {error}") from error
        if self.progress.rows[-1]["step"] < step:
            self._evaluate()
        self.save()
        return f"ended after training step {step}: {error}"

    def _save_batch(self, batch: Batch, step: int) -> str:
        """What became of the batch of a training step that diverged, for inspection."""
        file = self.folder.path / f"diverged-step-{step:06d}.safetensors"
        try:
            with atomic.naming(file), checkpoints.tensors_written():
                save_file(batch.arrays(), file)
        except atomic.UnwritableError as error:
            return str(error)
        return f"batch saved as {file.name}"


def _found(parts: Parts, folder: RunDirectory) -> Progress:
    """The progress of the newest checkpoint, or of a run that has none yet."""
    places = checkpoints.saved(folder.path / "checkpoints")
    digest = parts.prompts.digest
    if not places:
        start = parts.selector.init(len(parts.prompts))
        return Progress.start(start, parts.config.seed, digest)
    progress = checkpoints.restore(
        places[-1], parts.selector, len(parts.prompts), parts.model, parts.optimizer
    )
    if progress.prompts != digest:
        raise RunFolderError(
            f"{folder.path} holds a run on other prompts than prompts={parts.config.prompts}"
            " now gives: bring those back, or start a run in another folder"
        )
    parts.sync(progress.step)
    return progress
