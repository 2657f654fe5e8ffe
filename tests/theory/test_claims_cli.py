"""`passband claims` as a user meets it."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.terminal import Terminal
from theory import ledger


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("COLUMNS", "200")
    yield
    ledger.load.cache_clear()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(monkeypatch, capsys, "claims")


def record(monkeypatch: pytest.MonkeyPatch, **changes: ledger.Verdict) -> None:
    """Pretend that other verdicts are recorded."""
    claims = tuple(
        replace(claim, verdict=changes.get(claim.id.replace("-", "_"), claim.verdict))
        for claim in ledger.load()
    )
    monkeypatch.setattr(ledger, "load", lambda: claims)
    monkeypatch.setattr(ledger.load, "cache_clear", lambda: None, raising=False)


def test_the_listing_names_every_claim(terminal: Terminal) -> None:
    status, said, complaint = terminal()
    assert (status, complaint) == (0, "")
    for claim in ledger.load():
        assert re.search(rf"^│ {re.escape(claim.id)} +│", said, re.MULTILINE), claim.id


def test_filters_combine(terminal: Terminal) -> None:
    _, said, _ = terminal("--system", "cures", "--verdict", "fails")
    ids = set(re.findall(r"^│ (\S+-\d+) ", said, re.MULTILINE))
    wanted = {c.id for c in ledger.load() if (c.system, c.verdict) == ("CurES", "fails")}
    assert ids == wanted
    assert ids


def test_one_claim_is_told_in_full(terminal: Terminal) -> None:
    status, said, complaint = terminal("speed-04")
    assert (status, complaint) == (0, "")
    claim = ledger.lookup("SPEED-04")
    for part in (claim.statement, claim.source, claim.condition, "re-derived here"):
        assert part in said
    assert "theory.checks.speed.bound_for_every_rate\n" in said
    assert "fails: N=4, p=0.5: 6.00 > 4.00; N=24, p=0.4: 94.63 > 23.04" in said


def test_arithmetic_is_called_arithmetic(terminal: Terminal) -> None:
    _, said, _ = terminal("SPEED-19")
    assert "arithmetic on reported numbers, which are not themselves tested" in said


def test_evidence_is_computed_from_the_logs(terminal: Terminal) -> None:
    _, said, _ = terminal("SPEED-13", "SPEED-23")
    assert "per optimizer update 0.13 to 0.78" in said
    assert "25.91 h -> 7.60 h, 3.41x; per optimizer update 0.51x" in said


@pytest.mark.parametrize("columns", ["60", "80", "99"])
def test_a_narrow_terminal_gets_blocks(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    _, said, _ = terminal()
    lines = said.splitlines()
    assert max(map(len, lines)) <= int(columns)
    told = " ".join(said.split())
    for claim in ledger.load():
        assert f"{claim.id}  {claim.verdict}" in lines
        assert claim.statement in told
        assert claim.condition in told


@pytest.mark.parametrize("columns", ["100", "120", "160"])
def test_a_table_cuts_nothing_off(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    _, said, _ = terminal()
    assert max(map(len, said.splitlines())) <= int(columns)
    assert "…" not in said
    cells = [line.split("│") for line in said.splitlines() if line.startswith("│")]
    assert "".join(cell[1].strip() for cell in cells) == "".join(c.id for c in ledger.load())


def test_an_unknown_system_lists_all(terminal: Terminal) -> None:
    _, _, complaint = terminal("--system", "Foo")
    for system in dict.fromkeys(claim.system for claim in ledger.load()):
        assert system in complaint


def test_checking_an_untested_claim_says_so(terminal: Terminal) -> None:
    status, said, _ = terminal("GRESO-08", "--check")
    assert status == 0
    assert "GRESO-08: nothing to check: untested" in said
    assert "confirm" not in said


@pytest.mark.parametrize("extra", [(), ("--check",)])
def test_json_of_a_claim_told_always_has_outcomes(
    terminal: Terminal, extra: tuple[str, ...]
) -> None:
    _, said, _ = terminal("GRESO-08", "SPEED-04", "--json", *extra)
    assert [len(entry["outcomes"]) for entry in json.loads(said)] == [0, 1]


def test_an_untested_claim_says_why(terminal: Terminal) -> None:
    _, said, _ = terminal("GRESO-08")
    assert "verdict    untested" in said
    assert "because    One run per entry" in said
    assert "check" not in said.replace("checked", "")


def test_json_holds_the_claims_and_what_was_found(terminal: Terminal) -> None:
    _, said, _ = terminal("--json", "--system", "GVM-RAFT")
    assert [entry["id"] for entry in json.loads(said)] == [f"GVM-0{k}" for k in range(1, 8)]
    assert "outcomes" not in json.loads(said)[0]
    status, said, _ = terminal("GVM-02", "--json", "--check")
    (entry,) = json.loads(said)
    assert (status, entry["outcomes"][0]["verdict"], entry["outcomes"][0]["confirms"]) == (
        0,
        "fails",
        True,
    )


def test_all_checks_confirm_the_ledger(terminal: Terminal) -> None:
    status, said, _ = terminal("--check")
    assert status == 0
    tested = [claim for claim in ledger.load() if claim.checks]
    assert f"confirm the verdicts of {len(tested)} claims" in said
    assert re.search(r"│ all +│", said)


@pytest.mark.parametrize("extra", [(), ("--json",)])
def test_a_wrong_verdict_ends_with_status_1(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, extra: tuple[str, ...]
) -> None:
    record(monkeypatch, SPEED_04="holds")
    status, said, _ = terminal("--check", "--system", "SPEED", "--verdict", "holds", *extra)
    assert status == 1
    if not extra:
        assert "CONTRADICTS the recorded 'holds'" in said
        assert "checks ran, 1 contradict the verdicts of" in said
    assert terminal("SPEED-04")[0] == 1


def test_a_check_that_raises_ends_with_status_1(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_p: object, _N: object) -> None:
        raise ZeroDivisionError("no")

    monkeypatch.setattr("theory.snr.snr_max", broken)
    status, said, _ = terminal("SPEED-03", "--check")
    assert status == 1
    assert "raised ZeroDivisionError: no" in said


BAD = [
    (["SPED-04"], "unknown claim 'SPED-04': did you mean 'SPEED-04'?"),
    (["--system", "Sped"], "unknown system 'Sped': did you mean 'SPEED'?"),
    (["--verdict", "true"], "unknown verdict 'true': there are holds, conditional, fails, unt"),
    (["--verdict", "hold"], "unknown verdict 'hold': did you mean 'holds'?"),
    (["--system", "BOTS", "--verdict", "holds"], "no claim has this system and verdict"),
    (["--systm", "SPEED"], "Unrecognized options: --systm"),
    (["SPEED-04\nx"], "unknown claim 'SPEED-04\\nx'"),
]


@pytest.mark.parametrize(("args", "message"), BAD, ids=[" ".join(args) for args, _ in BAD])
def test_bad_input_ends_in_one_line(terminal: Terminal, args: list[str], message: str) -> None:
    status, said, complaint = terminal(*args)
    assert (status, said) == (2, "")
    assert complaint.startswith("passband: ")
    assert message in complaint
    assert complaint.count("\n") == 1
