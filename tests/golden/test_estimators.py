from pathlib import Path
from typing import Any

import pytest

from tests.golden.estimators import replay
from tests.golden.traces import traces

TRACES = traces("estimators")


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace["name"])
def test_recorded_estimates_are_reproduced(trace: dict[str, Any]) -> None:
    replay(trace)


def spoiled(value: float | list[Any]) -> float | list[Any]:
    """The value with its first number moved by 1e-4."""
    return [spoiled(value[0]), *value[1:]] if isinstance(value, list) else value + 1e-4


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("advantage", "advantage"),
        ("policy_loss", "loss"),
        ("policy_loss", "clipfrac"),
        ("policy_loss", "approx_kl"),
        ("policy_loss", "clipfrac_lower"),
        ("policy_loss", "grad_new_logp"),
        ("aggregate", "loss"),
        ("kl", "kl"),
    ],
)
def test_a_wrong_value_is_noticed_and_named(
    kind: str, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above, on the copies kept here: not any value would pass."""
    monkeypatch.delenv("PASSBAND_GOLDEN", raising=False)
    trace = next(t for t in traces("estimators") if t["kind"] == kind)
    with pytest.raises(AssertionError, match=rf"{trace['name']}\.{field}"):
        replay({**trace, field: spoiled(trace[field])})


def test_a_folder_without_traces_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.json.gz").touch()
    monkeypatch.setenv("PASSBAND_GOLDEN", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="holds no trace"):
        traces("estimators")
