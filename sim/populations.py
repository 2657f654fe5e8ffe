r"""How pass rates are spread over the prompts of a data set.

A population is named in one string, so that a command line and a run's record can hold it:

| name | pass rates of |
|---|---|
| `dapo17k-1.5b`, `dapo17k-7b` | Qwen2.5-Math-1.5B and -7B on DAPO-17k [1] |
| `dsr-sub-1.5b` | Qwen2.5-Math-1.5B on DSR-sub, before training [2] |
| `openr1-1.5b` | Qwen2.5-Math-1.5B on OpenR1 [3] |
| `beta(a, b)`, `uniform` | no model: synthetic |
| `FILE.json` | your own log, `{"rollouts": N, "passes": [k, ...]}` |

[1] 32 rollouts of 1,000 prompts by the authors of SPEED, arXiv:2506.09016. [2] The first 8
rollouts of 1,209 prompts by the authors of One-Shot-RLVR, arXiv:2504.20571. [3] Fitted to
pass@k for k = 1 to 256, read off a figure of Reinforce-Ada, arXiv:2510.04996.

Counts are not pass rates: with few rollouts, many prompts show 0 or N passes whose pass rate
is not 0 or 1, and taking $k/N$ for $p$ inflates the zero-variance share. Prompts are therefore
drawn in two steps, a logged prompt and then a pass rate from its posterior
$\mathrm{Beta}(a + k, b + N - k)$, where $\mathrm{Beta}(a, b)$ maximizes the likelihood of the
whole log.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from reprlib import repr as brief
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize
from scipy.special import betaln

from selection.checks import positive, within

DATA = resources.files("sim") / "data"
FORMAT = '{"rollouts": N, "passes": [k, ...]}'
LOGGED = {"dapo17k-1.5b": "dapo1k_1.5b.json", "dapo17k-7b": "dapo1k_7b.json"}
NAMES = (*LOGGED, "dsr-sub-1.5b", "openr1-1.5b", "uniform", "beta(a, b)", "FILE.json")


@dataclass(frozen=True)
class PassCounts:
    """Passes among the same number of rollouts of each of M prompts."""

    passes: Int[np.ndarray, "M"]
    rollouts: int


@runtime_checkable
class Population(Protocol):
    """A distribution of pass rates."""

    def draw(self, num: int, rng: np.random.Generator) -> Float[np.ndarray, "M"]:
        """Pass rates of `num` independent prompts, in [0, 1]."""
        ...


@dataclass(frozen=True, kw_only=True)
class BetaRates:
    """Beta(a, b) pass rates, and a share of prompts that are never solved.

    Attributes:
        a: First parameter of the Beta distribution.
        b: Second parameter.
        never: Share of prompts whose pass rate is 0.
    """

    a: float
    b: float
    never: float = 0.0

    def __post_init__(self) -> None:
        positive(a=self.a, b=self.b)
        within(0.0, 1.0, never=self.never)

    def draw(self, num: int, rng: np.random.Generator) -> Float[np.ndarray, "M"]:
        solvable = rng.uniform(size=num) >= self.never
        return solvable * rng.beta(self.a, self.b, size=num)


@dataclass(frozen=True)
class LoggedRates:
    """Posterior pass rates of the prompts of a log, under the Beta prior fitted to it."""

    counts: PassCounts
    prior: tuple[float, float]

    def draw(self, num: int, rng: np.random.Generator) -> Float[np.ndarray, "M"]:
        passes = rng.choice(self.counts.passes, size=num)
        a, b = self.prior
        return rng.beta(a + passes, b + self.counts.rollouts - passes)


def population(name: str) -> Population:
    """The population of a name in the table above.

    Raises:
        ValueError: If the name is unknown, its numbers are not positive, or its file is
            refused by `load_pass_counts`.
    """
    if name == "uniform":
        return BetaRates(a=1.0, b=1.0)
    if name == "openr1-1.5b":
        return BetaRates(a=0.337, b=1.533, never=0.026)
    if name == "dsr-sub-1.5b" or name in LOGGED:
        return _committed(name)
    if shape := re.fullmatch(r"beta\((.+),(.+)\)", name):
        return BetaRates(a=_number(shape[1], name), b=_number(shape[2], name))
    if name.lower().endswith(".json"):
        return _logged(load_pass_counts(Path(name).expanduser()))
    raise ValueError(f"population {name!r} is none of {', '.join(NAMES)}")


def load_pass_counts(path: str | Path | Traversable) -> PassCounts:
    """The pass counts of a log: a JSON file `{"rollouts": N, "passes": [k, ...]}`.

    Every prompt has the same number of rollouts, at least 2: one alone tells the mean pass
    rate of a population and nothing about its spread. Further keys are ignored.

    Raises:
        ValueError: If the file cannot be read or holds anything else; the message names the
            file, the value and the mend.
    """
    log = _json(path)
    if not (isinstance(log, dict) and {"rollouts", "passes"} <= log.keys()):
        raise ValueError(f"{path}: not of the form {FORMAT}; write one such object")
    rollouts, passes = log["rollouts"], log["passes"]
    if type(rollouts) is not int or not 2 <= rollouts <= 2**31:
        raise ValueError(f"{path}: rollouts={brief(rollouts)}; state a whole number, 2 or more")
    if not isinstance(passes, list) or not passes:
        raise ValueError(f"{path}: passes={brief(passes)}; list those of at least one prompt")
    for prompt, k in enumerate(passes):
        if type(k) is not int or not 0 <= k <= rollouts:
            mend = f"count the passes among {rollouts} rollouts, 0 to {rollouts}"
            raise ValueError(f"{path}: passes[{prompt}]={brief(k)}; {mend}")
    return PassCounts(np.array(passes), rollouts)


@cache
def load_visits() -> Int[np.ndarray, "M V"]:
    """Passes of 8 rollouts at each visit to each of 1,209 prompts; -1 after the last visit.

    Source: ypwang61/One-Shot-RLVR at 21ed529, Qwen2.5-Math-1.5B over 500 GRPO training steps.
    """
    visits: list[str] = json.loads((DATA / "dsr_sub_1.5b_visits.json").read_text())["visits"]
    table = np.full((len(visits), max(map(len, visits))), -1)
    for row, digits in zip(table, visits, strict=True):
        row[: len(digits)] = [int(digit) for digit in digits]
    table.setflags(write=False)
    return table


def fit_beta(counts: PassCounts) -> tuple[float, float]:
    """Parameters of the Beta prior under which a log is most likely.

    They are kept within [0.001, 1000], where a log without spread would run off.
    """
    seen, weight = np.unique(counts.passes, return_counts=True)

    def surprise(logs: Float[np.ndarray, "2"]) -> float:
        a, b = np.exp(logs)
        evidence = betaln(a + seen, b + counts.rollouts - seen) - betaln(a, b)
        return -float(weight @ evidence) / counts.passes.size

    limits = [(np.log(1e-3), np.log(1e3))] * 2
    a, b = np.exp(minimize(surprise, np.zeros(2), bounds=limits).x)
    return float(a), float(b)


def _logged(counts: PassCounts) -> LoggedRates:
    return LoggedRates(counts, fit_beta(counts))


@cache
def _committed(name: str) -> LoggedRates:
    """The population of a log that comes with the project; fitted once."""
    if name in LOGGED:
        return _logged(load_pass_counts(DATA / LOGGED[name]))
    return _logged(PassCounts(load_visits()[:, 0], 8))


def _number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"population {name!r}: {text!r} is not a number") from None


def _json(path: str | Path | Traversable) -> Any:  # noqa: ANN401
    """What a JSON file holds."""
    file = Path(path) if isinstance(path, str) else path
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; give the path of a JSON file") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON ({error}); write {FORMAT}") from error
