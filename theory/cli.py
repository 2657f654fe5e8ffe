"""The command of the ledger: a dataclass of options with a `run` method."""

import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import tyro
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from theory import ledger
from theory.ledger import Claim, Outcome

STYLES = {"holds": "green", "conditional": "yellow", "fails": "red", "untested": "dim"}
NARROW = 100  # columns below which claims are listed one below the other


@dataclass(frozen=True, kw_only=True)
class Claims:
    """List published claims, with the verdict on each and what establishes it.

    Example: `passband claims SPEED-04` tells one in full, `passband claims --check` re-runs
    every check and ends with status 1 if one contradicts the verdict that is recorded.

    Attributes:
        ids: Claims to tell in full; all are listed if none is named.
        system: Only the claims of this system.
        verdict: Only claims that hold, are conditional, fail or are untested.
        check: Re-run the checks of these claims.
        json: Print them as JSON.
    """

    ids: tyro.conf.Positional[tuple[str, ...]] = ()
    system: str | None = None
    verdict: str | None = None
    check: bool = False
    json: bool = False

    def run(self) -> None:
        """Print the ledger, or part of it; with `check`, re-run its checks.

        Raises:
            ValueError: An id, a system or a verdict is unknown, or none is left.
            SystemExit: With status 1, if a check contradicts a verdict or fails to run.
        """
        claims = self.chosen()
        told = bool(self.ids) and not self.check
        ran = self.check or told
        outcomes = run_checks(claims, quiet=told) if ran else {}
        if self.json:
            write(
                json.dumps(
                    [entry(claim, outcomes if ran else None) for claim in claims], indent=2
                )
            )
        elif self.check:
            summarize(claims, outcomes)
        elif told:
            write("\n\n".join(in_full(claim, outcomes) for claim in claims))
        else:
            show(claims)
        if any(not outcomes[name].confirms(claim) for claim, name in used(claims, outcomes)):
            raise SystemExit(1)

    def chosen(self) -> tuple[Claim, ...]:
        """The claims asked for.

        Raises:
            ValueError: An id, a system or a verdict is unknown, or none is left.
        """
        claims = ledger.load()
        if self.ids:
            claims = tuple(dict.fromkeys(ledger.lookup(name) for name in self.ids))
        if self.system is not None:
            system = _known(
                "system", self.system, dict.fromkeys(c.system for c in ledger.load())
            )
            claims = tuple(claim for claim in claims if claim.system == system)
        if self.verdict is not None:
            verdict = _known("verdict", self.verdict, dict.fromkeys(ledger.VERDICTS))
            claims = tuple(claim for claim in claims if claim.verdict == verdict)
        if not claims:
            raise ValueError("no claim has this system and verdict")
        return claims


def _known(kind: str, name: str, known: dict[Any, None]) -> str:
    """The known name that equals this one but for its case."""
    lowered = {str(one).lower(): str(one) for one in known}
    if name.lower() not in lowered:
        refusal = ledger.unknown(kind, name, list(lowered.values()))
        if "did you mean" in str(refusal):
            raise refusal
        raise ValueError(f"unknown {kind} {name!r}: there are {', '.join(lowered.values())}")
    return lowered[name.lower()]


def write(text: str) -> None:
    """Print to stdout, unwrapped."""
    sys.stdout.write(f"{text}\n")


def used(claims: tuple[Claim, ...], outcomes: dict[str, Outcome]) -> list[tuple[Claim, str]]:
    """Each claim with each of its checks that was run."""
    return [(claim, name) for claim in claims for name in claim.checks if name in outcomes]


def run_checks(claims: tuple[Claim, ...], *, quiet: bool) -> dict[str, Outcome]:
    """Outcomes of the checks of these claims, each run once, with a bar on a terminal."""
    from tqdm import tqdm  # noqa: PLC0415 - only where checks are run

    names = list(dict.fromkeys(name for claim in claims for name in claim.checks))
    shown = tqdm(names, unit="check", desc="checking", disable=True if quiet else None)
    return {name: ledger.attempt(name) for name in shown}


def entry(claim: Claim, outcomes: dict[str, Outcome] | None) -> dict[str, Any]:
    """A claim and what its checks found, if they were run, for JSON."""
    if outcomes is None:
        return asdict(claim)
    found = [_outcome(outcomes[name], claim) for name in claim.checks if name in outcomes]
    return asdict(claim) | {"outcomes": found}


def _outcome(outcome: Outcome, claim: Claim) -> dict[str, Any]:
    return {
        "check": outcome.check,
        "verdict": outcome.found.verdict if outcome.found else None,
        "evidence": outcome.found.evidence if outcome.found else outcome.error,
        "confirms": outcome.confirms(claim),
    }


def show(claims: tuple[Claim, ...]) -> None:
    """Print the claims: a table, or one block each where a table would be too narrow."""
    console = Console(highlight=False)
    if console.width >= NARROW:
        console.print(listing(claims, console.width))
        return
    for claim in claims:
        console.print(
            f"{claim.id}  [{STYLES[claim.verdict]}]{claim.verdict}[/]", soft_wrap=True
        )
        for text in (claim.statement, claim.condition):
            console.print(Padding(_plain(text), (0, 0, 0, 2), expand=False))


def listing(claims: tuple[Claim, ...], width: int) -> Table:
    """The claims as a table; on one of less than 160 columns long ids wrap."""
    grid = Table("claim", "statement", "verdict", "condition, counterexample or reason")
    for column in grid.columns:
        column.overflow = "fold"
    grid.columns[0].max_width = 16 if width < 160 else None
    grid.columns[2].no_wrap = True
    for claim in claims:
        verdict = f"[{STYLES[claim.verdict]}]{claim.verdict}[/]"
        grid.add_row(claim.id, _plain(claim.statement), verdict, _plain(claim.condition))
    return grid


def _plain(text: str) -> str:
    """Text in which rich finds no markup."""
    return text.replace("[", r"\[")


def in_full(claim: Claim, outcomes: dict[str, Outcome]) -> str:
    """A claim with its source, verdict, condition, checks and what they find now."""
    lines = [
        f"{claim.id} ({claim.system})",
        f"  claim      {claim.statement}",
        f"  source     {claim.source}",
        f"  verdict    {claim.verdict}",
        f"  because    {claim.condition}",
    ]
    if claim.value:
        lines.insert(2, f"  value      {claim.value} {claim.unit}".rstrip())
    if claim.basis:
        lines.append(f"  basis      {claim.basis}: {ledger.BASES[claim.basis]}")
    lines += [_told(outcomes[name], claim) for name in claim.checks if name in outcomes]
    return "\n".join(lines)


def _told(outcome: Outcome, claim: Claim) -> str:
    found = outcome.found
    said = f"{found.verdict}: {found.evidence}" if found else f"raised {outcome.error}"
    mark = "" if outcome.confirms(claim) else f"  CONTRADICTS the recorded {claim.verdict!r}"
    return f"  check      theory.checks.{outcome.check}\n             {said}{mark}"


def summarize(claims: tuple[Claim, ...], outcomes: dict[str, Outcome]) -> None:
    """Print a table by system and verdict, and each contradiction."""
    counts = Counter((claim.system, claim.verdict) for claim in claims)
    grid = Table("system", *ledger.VERDICTS)
    for column in grid.columns[1:]:
        column.justify = "right"
    for system in dict.fromkeys(claim.system for claim in claims):
        grid.add_row(system, *(str(counts[system, v] or "") for v in ledger.VERDICTS))
    total = Counter(claim.verdict for claim in claims)
    grid.add_section()
    grid.add_row("all", *(str(total[v]) for v in ledger.VERDICTS))
    Console(highlight=False).print(grid)
    for claim in claims if len(claims) < len(ledger.load()) else ():
        if not claim.checks:
            write(f"{claim.id}: nothing to check: untested")
    pairs = used(claims, outcomes)
    wrong = [(claim, name) for claim, name in pairs if not outcomes[name].confirms(claim)]
    for claim, name in wrong:
        write(f"{claim.id}\n{_told(outcomes[name], claim)}")
    verb = "confirm" if not wrong else f"ran, {len(wrong)} contradict"
    if not pairs:
        return
    write(
        f"{len(outcomes)} checks {verb} the verdicts of {len({c.id for c, _ in pairs})} claims"
    )
