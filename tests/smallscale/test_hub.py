"""Named data sets: what is asked of the hub, how its rows are read, and what can go wrong."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import pytest

from selection.settings import SettingError
from smallscale.hub import HUB, fetched

# One row of each set, with the columns that its card or its readers name.
ROWS: dict[str, dict[str, Any]] = {
    "deepscaler": {"problem": "p", "answer": "\\frac{1}{2}", "solution": "s"},
    "dapo17k": {
        "prompt": "p",
        "solution": "34",
        "data_source": "math_dapo",
        "source_prompt": [{"role": "user", "content": "Solve ... p"}],
        "ability": "MATH",
        "reward_model": {"ground_truth": "34", "style": "rule-lighteval/MATH_v2"},
        "extra_info": {"index": "9a9b-77"},
    },
    "numinamath": {
        "source": "olympiads",
        "problem": "p",
        "solution": "so \\boxed{7}",
        "messages": [{"role": "user", "content": "p"}],
    },
    "math500": {
        "problem": "p",
        "solution": "so \\boxed{9}",
        "answer": "3",
        "subject": "Algebra",
        "level": 2,
        "unique_id": "test/algebra/1.json",
    },
    "amc23-40": {"id": "0", "question": "p", "answer": "27", "url": "u"},
    "amc23-83": {"id": 0, "problem": "p", "answer": 142.0, "url": "u"},
    "aime24": {"id": 60, "problem": "p", "solution": "s", "answer": "204", "year": "2024"},
    "aime25": {"id": "0", "problem": "p", "answer": "70"},
}
ROWS["dapo17k-en"] = ROWS["dapo17k"]
READ = {  # key (None: a hash of the problem) and answer
    "deepscaler": (None, "\\frac{1}{2}"),
    "dapo17k": ("9a9b-77", "34"),
    "dapo17k-en": ("9a9b-77", "34"),
    "numinamath": (None, "7"),
    "math500": ("test/algebra/1.json", "3"),
    "amc23-40": ("0", "27"),
    "amc23-83": ("0", "142"),
    "aime24": ("60", "204"),
    "aime25": ("0", "70"),
}
ASKED = {
    "deepscaler": ("agentica-org/DeepScaleR-Preview-Dataset", None, "train"),
    "dapo17k": ("open-r1/DAPO-Math-17k-Processed", "all", "train"),
    "dapo17k-en": ("open-r1/DAPO-Math-17k-Processed", "en", "train"),
    "numinamath": ("AI-MO/NuminaMath-CoT", None, "train"),
    "math500": ("HuggingFaceH4/MATH-500", None, "test"),
    "amc23-40": ("math-ai/amc23", None, "test"),
    "amc23-83": ("AI-MO/aimo-validation-amc", None, "train"),
    "aime24": ("HuggingFaceH4/aime_2024", None, "train"),
    "aime25": ("math-ai/aime25", None, "test"),
}
HASH_OF_P = "148de9c5a7a44d19"


@dataclass
class Hub:
    """In place of the package `datasets`: notes what is asked and gives the same rows."""

    rows: list[dict[str, Any]]
    error: Exception | None = None
    asked: list[tuple[str, str | None, str]] = field(default_factory=list[Any])

    def load_dataset(self, path: str, name: str | None = None, *, split: str) -> Any:  # noqa: ANN401
        self.asked.append((path, name, split))
        if self.error:
            raise self.error
        return self.rows


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Hub]:
    def place(*rows: dict[str, Any], error: Exception | None = None) -> Hub:
        stand_in = Hub(list(rows), error)
        monkeypatch.setitem(sys.modules, "datasets", stand_in)  # pyright: ignore[reportArgumentType]
        return stand_in

    return place


@pytest.mark.parametrize("name", HUB)
def test_each_set_is_asked_for_and_read(name: str, hub: Callable[..., Hub]) -> None:
    stand_in = hub(ROWS[name])
    (row,) = fetched(name)
    key, answer = READ[name]
    assert stand_in.asked == [ASKED[name]]
    assert (row.key, row.answer) == (f"{name}/{key or HASH_OF_P}", answer)
    assert (row.prompt, row.family) == ("p", name)


def test_both_sets_called_amc23_say_how_many_problems_they_have() -> None:
    assert "40" in HUB["amc23-40"].about
    assert "83" in HUB["amc23-83"].about


def test_a_set_that_has_changed_is_told_with_the_columns_it_has(
    hub: Callable[..., Hub],
) -> None:
    hub(ROWS["aime25"], {"question": "p", "answer": "1"})
    with pytest.raises(SettingError) as refused:
        list(fetched("aime25"))
    assert str(refused.value) == (
        "data set 'aime25' (math-ai/aime25), row 2 has no column problem, only question, "
        "answer: expected problem, answer and optionally id"
    )


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(SettingError, match="unknown data set 'amc23': did you mean 'amc23-"):
        list(fetched("amc23"))
    with pytest.raises(
        SettingError, match=r"unknown data set 'gsm': there are aime24, aime25,"
    ):
        list(fetched("gsm"))


def test_without_the_package_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("datasets"):
        monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(SettingError) as refused:
        list(fetched("math500"))
    assert str(refused.value) == (
        "data set 'math500' needs the package datasets: pip install 'passband[data]'"
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            ConnectionError("Couldn't reach 'math-ai/aime25' on the Hub\nRetry"),
            "Couldn't reach 'm",
        ),
        (
            FileNotFoundError("Dataset 'x' doesn't exist on the Hub"),
            "Dataset 'x' doesn't exist",
        ),
        (ValueError("Unknown split \"test\". Should be one of ['train']."), "Unknown split"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_a_hub_out_of_reach_is_told_in_one_line(
    error: Exception, reason: str, hub: Callable[..., Hub]
) -> None:
    hub(error=error)
    with pytest.raises(SettingError) as refused:
        list(fetched("aime25"))
    message = str(refused.value)
    assert message.startswith(f"data set 'aime25' cannot be had from the hub ({reason}")
    assert message.endswith("check the network, or name a .jsonl or .parquet file")
    assert "\n" not in message


def test_other_faults_are_not_taken_for_a_hub_out_of_reach(hub: Callable[..., Hub]) -> None:
    hub(error=KeyError("a slip"))
    with pytest.raises(KeyError, match="a slip"):
        list(fetched("aime25"))
