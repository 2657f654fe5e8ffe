"""What a warm start is shown, that it repeats and is kept whole, and the spread it leads to."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from selection.settings import SettingError
from smallscale import warm_start as module
from smallscale.models import SHAPES, fresh, load
from smallscale.pass_rates import pass_rates_exact, rollouts_of
from smallscale.problems import Problem, Task
from smallscale.scoring import score
from smallscale.strings import Strings
from smallscale.sums import Sums
from smallscale.tasks import prompts
from smallscale.vocabulary import character_tokenizer
from smallscale.warm_start import (
    SIZES,
    Lesson,
    WarmStart,
    demonstration_loss,
    pace,
    sized,
    trained,
    warm_start,
    whole,
)

SHORT = Strings(length=2)
BRIEF = WarmStart(shape=SHAPES["test"], task=SHORT, updates=3, demonstrations=4, seed=1)


def make(config: WarmStart, cache: Path) -> Path:
    return warm_start(config, cache, progress=False)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_warm_start_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make(BRIEF, tmp_path / "cache")
    assert folder == tmp_path / "cache" / BRIEF.name
    assert [path.name for path in folder.parent.iterdir()] == [BRIEF.name]
    before = contents(folder)
    monkeypatch.setattr(module, "trained", None)
    assert make(BRIEF, tmp_path / "cache") == folder
    assert contents(folder) == before


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "warm_start.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "remove"])
def test_a_damaged_warm_start_is_made_again(tmp_path: Path, name: str, damage: str) -> None:
    """The same bits each time, on one thread."""
    folder = make(BRIEF, tmp_path)
    before, path = contents(folder), folder / name
    if damage == "remove":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-7])
    else:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    assert not whole(folder)
    assert contents(make(BRIEF, tmp_path)) == before
    assert whole(folder)


def test_a_save_without_its_seal_is_made_again(tmp_path: Path) -> None:
    """As when the process was ended between the two."""
    (tmp_path / BRIEF.name).mkdir()
    folder = make(BRIEF, tmp_path)
    load(folder)
    assert sorted(json.loads((folder / "warm_start.json").read_text())) == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


CHANGES: list[dict[str, Any]] = [
    {"seed": 2},
    {"updates": 4},
    {"demonstrations": 5},
    {"learning_rate": 1e-4},
    {"task": replace(SHORT, slope=0.1)},
    {"task": Strings(length=2, symbols="letters")},
    {"task": Sums()},
    {"shape": replace(SHAPES["test"], layers=1)},
]


def test_whatever_shapes_the_model_changes_its_name() -> None:
    names = {replace(BRIEF, **change).name for change in CHANGES} | {BRIEF.name}
    assert len(names) == len(CHANGES) + 1


def test_the_pool_does_not_shape_the_model() -> None:
    hard = replace(BRIEF, task=replace(SHORT, pool="hard"))
    assert hard.name == BRIEF.name


def test_the_source_is_part_of_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Path(module.__file__).parent
    for name in module.SOURCES:
        (tmp_path / f"{name}.py").write_bytes((here / f"{name}.py").read_bytes())
    monkeypatch.setattr(module, "__file__", str(tmp_path / "warm_start.py"))
    assert (same := BRIEF.name) == replace(BRIEF).name
    with (tmp_path / "strings.py").open("a") as file:
        file.write("# another word\n")
    assert same != BRIEF.name


def test_seeds_and_only_seeds_make_a_difference() -> None:
    one, two = (trained(BRIEF, progress=False)[0] for _ in range(2))
    assert all(map(torch.equal, one.parameters(), two.parameters()))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    other, tokenizer = trained(replace(BRIEF, seed=2), progress=False)
    assert torch.equal(before, torch.get_rng_state())
    assert not all(map(torch.equal, one.parameters(), other.parameters()))
    assert other.config.eos_token_id == tokenizer.eos_token_id == len(SHORT.characters)
    assert not other.training


def test_what_is_learned_is_the_rollout_and_its_end() -> None:
    task = Strings(free_tokens=1)
    tokenizer = character_tokenizer(task.characters)
    ids, learned = Lesson(task, tokenizer).draw(50, np.random.default_rng(0))
    assert ids.shape == learned.shape[1:] == (50, 6 + task.max_tokens)
    answer, free = learned
    assert (answer | free).sum(1).tolist() == [task.max_tokens] * 50
    assert np.flatnonzero(free.any(0)).tolist() == [6]
    assert free[:, 6].all()
    assert not (answer & free).any()
    assert answer[:, -1].all()
    for row in ids:
        text = tokenizer.decode(row)
        assert text[5] == ":"
        assert text[7] == "="
        assert row[-1] == tokenizer.eos_token_id


def test_shorter_demonstrations_are_padded_and_not_learned() -> None:
    task = Sums(digits=(1, 2), terms=(2, 3))
    tokenizer = character_tokenizer(task.characters)
    ids, learned = Lesson(task, tokenizer).draw(30, np.random.default_rng(0))
    assert not learned[1].any()
    assert len({int(n) for n in learned[0].sum(1)}) > 2
    for row, mask in zip(ids, learned[0], strict=True):
        prompt = tokenizer.decode(row).index(":") + 1
        (places,) = np.nonzero(mask)
        assert places.tolist() == list(range(prompt, prompt + places.size))
        end = int(np.flatnonzero(row == tokenizer.eos_token_id)[0])
        assert places[-1] == end
        assert (row[end:] == tokenizer.eos_token_id).all()


def test_all_families_are_shown_alike_whatever_the_pool() -> None:
    """2,000 demonstrations: 250 of a family, five standard deviations wide."""
    task = Strings(pool="hard").lesson()
    lesson = Lesson(task, character_tokenizer(task.characters))
    ids, _ = lesson.draw(2000, np.random.default_rng(0))
    counted = np.bincount(ids[:, 0])
    assert counted.size == 8
    assert (abs(counted - 250) < 5 * 14.8).all()


@pytest.mark.parametrize("task", [Sums(digits=(1, 2), terms=(2, 3)), Strings(free_tokens=3)])
def test_the_loss_is_the_mean_surprise_of_learned_tokens(task: Task) -> None:
    """Against the log-probabilities by which rollouts are scored; free tokens by themselves."""
    tokenizer: Any = character_tokenizer(task.characters)
    model = fresh(replace(SHAPES["test"], vocabulary=len(tokenizer)), seed=0)
    ids, learned = Lesson(task, tokenizer).draw(6, np.random.default_rng(0))
    texts = [tokenizer.decode(row, skip_special_tokens=True) for row in ids]
    parts = [text.partition(":") for text in texts]
    asked = [np.array(tokenizer.encode(prompt + ":")) for prompt, _, _ in parts]
    rollouts = rollouts_of(tuple(text for _, _, text in parts), tokenizer)
    surprise = -score(model, asked, rollouts).logprobs.detach().numpy()
    free = np.isin(rollouts.tokens, tokenizer.convert_tokens_to_ids(list(task.free)))
    answers = surprise[~free].sum() / learned[0].sum()
    expected = answers + (surprise[free].mean() if free.any() else 0.0)
    loss = float(demonstration_loss(model, ids, learned).detach())
    assert loss == pytest.approx(float(expected), rel=1e-5)


def test_the_learning_rate_rises_and_falls() -> None:
    paces = [pace(update, 100) for update in range(100)]
    assert paces[0] == pytest.approx(0.2)
    assert max(paces) == paces[4] > 0.95
    assert paces[5:] == sorted(paces[5:], reverse=True)
    assert 0 < paces[-1] < 0.02
    assert pace(0, 1) == 1.0


def test_training_that_diverges_is_refused() -> None:
    with pytest.raises(FloatingPointError, match="learning_rate=1e"):
        trained(replace(BRIEF, learning_rate=1e30, updates=10), progress=False)


@pytest.mark.parametrize("name", SIZES)
def test_every_size_has_a_shape(name: str) -> None:
    config = sized(name, SHORT, seed=3)
    assert (config.shape, config.task, config.seed) == (SHAPES[name], SHORT, 3)


def test_bad_configurations_are_refused() -> None:
    with pytest.raises(SettingError, match="huge"):
        sized("huge", SHORT)
    for change in ({"updates": 0}, {"demonstrations": 0}, {"learning_rate": 0.0}, {"seed": -1}):
        with pytest.raises(ValueError, match=next(iter(change))):
            replace(BRIEF, **change)


def test_the_test_size_starts_with_a_spread_that_follows_the_chances() -> None:
    """What the warm start is for; longer ones come closer to what they are shown."""
    torch.set_num_threads(1)
    model, tokenizer = trained(sized("test", SHORT), progress=False)
    held_out = prompts(SHORT, 80, seed=0, split="held-out", tokenizer=tokenizer)
    rates = pass_rates_exact(model, held_out, tokenizer)
    rows = zip(held_out.texts, held_out.answers, held_out.families, strict=True)
    chances = np.array([SHORT.chance(Problem(*row)) for row in rows])
    assert np.corrcoef(rates, chances)[0, 1] > 0.6
    assert 0.2 < rates.mean() < 0.6
    assert (rates < 0.1).mean() > 0.2
    assert (rates > 0.6).mean() > 0.2
