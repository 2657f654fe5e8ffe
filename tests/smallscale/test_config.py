"""Configurations: presets that are whole, changes by text, and refusals that name the value."""

import pytest

from selection.settings import SettingError
from smallscale.config import PRESETS, Config, configure


def test_presets_know_their_names_and_published_sizes() -> None:
    assert all(config.preset == name for name, config in PRESETS.items())
    qwen = PRESETS["qwen2.5-math-1.5b"]
    assert (qwen.groups, qwen.rollouts, qwen.lr, qwen.max_tokens) == (16, 24, 1e-6, 3072)
    assert qwen.updates == 1
    assert qwen.engine == "vllm"


def test_changes_are_read_by_type() -> None:
    told = {"steps": "7", "lr": "1e-3", "checkpointing": "true", "seed": 4}
    changed = configure("test", told)
    assert (changed.steps, changed.lr) == (7, 1e-3)
    assert (changed.checkpointing, changed.seed) == (True, 4)


def test_mini_batches_replace_updates() -> None:
    assert configure("test", {"updates": "0", "mini_batch": "64"}).mini_batch == 64


@pytest.mark.parametrize(
    ("preset", "changes", "said"),
    [
        ("tiny", {}, "unknown preset 'tiny': did you mean 'tiny-cpu'"),
        ("test", {"step": "3"}, "unknown key of Config 'step': did you mean 'steps'"),
        ("test", {"steps": "three"}, "steps='three' must be a whole number"),
        ("test", {"steps": "0"}, "steps=0"),
        ("test", {"lr": "-1"}, "lr=-1"),
        ("test", {"target": "1.5"}, "target=1.5"),
        ("test", {"updates": "2", "mini_batch": "8"}, "updates=2 and mini_batch=8"),
        ("test", {"updates": "0"}, "updates=0 and mini_batch=0"),
        ("test", {"engine": "tgi"}, "engine='tgi' must be 'transformers' or 'vllm'"),
        ("test", {"preset": "x"}, "preset cannot be changed"),
        ("test", {"seed": "-1"}, "seed=-1"),
    ],
)
def test_what_is_wrong_is_refused_by_name(
    preset: str, changes: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingError if "unknown" in said else ValueError, match=said):
        configure(preset, changes)


def test_a_label_names_the_run() -> None:
    assert configure("test", {"strategy": "speed"}).name == "speed"
    assert configure("test", {"strategy": "speed", "label": "speed x6"}).name == "speed x6"


def test_a_dump_is_the_whole_configuration() -> None:
    config = configure("test", {"seed": 9})
    assert Config(**config.dump()) == config  # pyright: ignore[reportArgumentType]
