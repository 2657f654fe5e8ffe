"""The preset of Qwen2.5-Math-1.5B from end to end, with a small stand-in for its weights.

Everything else is as on the user's machine: folder or hub id, chat template, data files,
verifier in worker processes, checkpointing of activations, resume.
"""

import json
from pathlib import Path

from report.record import load
from smallscale.assembly import assembled
from smallscale.config import configure
from smallscale.run_directory import RunDirectory
from smallscale.train import Trainer
from tests.smallscale.stand_in import SYSTEM, stand_in

SMALL = {
    "device": "cpu",
    "engine": "transformers",
    "precision": "float32",
    "max_tokens": "24",
    "groups": "3",
    "rollouts": "4",
    "steps": "3",
    "evaluate_every": "1",
    "checkpoint_every": "2",
    "show_every": "1",
}


def written(file: Path, num: int) -> str:
    rows = [
        {"id": str(i), "problem": f"What is {i} + 1?", "answer": str(i + 1)} for i in range(num)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0]]))
    return str(file)


def test_the_preset_runs_and_resumes_on_a_stand_in(tmp_path: Path) -> None:
    data = {
        "model": str(stand_in(tmp_path / "model")),
        "prompts": written(tmp_path / "train.jsonl", 12),
        "held_out": written(tmp_path / "test.jsonl", 3),
    }
    config = configure("qwen2.5-math-1.5b", SMALL | data)
    folder = RunDirectory(tmp_path / "run")
    with assembled(config) as parts:
        assert parts.prompts.left_out == {"duplicate prompt": 1}
        assert SYSTEM in parts.prompts.texts[0]
        assert parts.exact is None
        folder.begin(config)
        Trainer.begin(parts, folder).run(until=2)
    with assembled(config) as parts:
        assert Trainer.begin(parts, folder).run() == "finished 3 training steps"
    lines = (folder.path / "metrics.jsonl").read_text().splitlines()
    faults = [json.loads(line)["verifier/faults"] for line in lines]
    assert all(step == {"no answer": 12} for step in faults)  # random weights box nothing
    assert load(folder.path / "record.json").columns["step"].tolist() == [0, 1, 2, 3]
    shown = (folder.path / "rollouts" / "step-000003.jsonl").read_text().splitlines()
    assert json.loads(shown[0])["answer"].isdigit()
