"""The front door: `passband COMMAND ...`, each room imported only when a command needs it."""

import contextlib
import io
import os
import re
import sys
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from typing import Any, NoReturn

COMMANDS = {  # command: (module, class of its options, what it does)
    "compare": ("sim.cli", "Compare", "strategies side by side in simulated worlds"),
    "sweep": ("sim.cli", "Sweep", "one strategy over a grid of its hyperparameters"),
    "strategies": (
        "sim.cli",
        "Strategies",
        "the strategies there are, their knobs and sources",
    ),
    "worlds": ("sim.cli", "Worlds", "the simulated worlds there are"),
    "claims": ("theory.cli", "Claims", "published claims, and whether each holds"),
    "figures": ("sim.figures.cli", "Figures", "the papers' figures and tables, made again"),
    "train": ("smallscale.cli", "Train", "a language model on prompts that a strategy chooses"),
    "evaluate": ("smallscale.cli", "Evaluate", "the pass rate of a model on held-out prompts"),
    "compare-runs": ("smallscale.cli", "CompareRuns", "trained models side by side"),
    "warm-start": ("smallscale.prediction_cli", "WarmStart", "a base model of another width"),
    "measure": ("smallscale.prediction_cli", "Measure", "a model before it is trained"),
    "remeasure": ("smallscale.prediction_cli", "Remeasure", "a model while it is trained"),
    "predict": ("sim.predict_cli", "Predict", "real runs, from what was measured before them"),
    "study": ("smallscale.prediction_cli", "Study", "a model under every strategy and seed"),
    "judge": (
        "report.agreement_cli",
        "Judge",
        "predictions against the runs that followed",
    ),
    "snr": ("smallscale.snr_cli", "Snr", "gradient geometry and SNR in a language model"),
    "confound": (
        "smallscale.confound_cli",
        "Confound",
        "how much of a speedup is optimizer updates",
    ),
    "bench sim": ("sim.cli", "Bench", "how fast the simulator is, beside what it cannot avoid"),
    "bench train": ("smallscale.cli", "Bench", "how fast training is, beside TRL's trainer"),
}


def main() -> None:
    """Run the command line; bad input ends with one line on stderr and exit status 2."""
    with contextlib.suppress(AttributeError):  # a stream in memory encodes nothing
        sys.stdout.reconfigure(errors="replace")  # pyright: ignore[reportAttributeAccessIssue]
    try:
        try:
            _dispatch()
        finally:
            print(end="", flush=True)  # what is buffered meets a closed pipe here, not at exit
    except BrokenPipeError:  # whoever read the output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


def _dispatch() -> None:
    name, *args = sys.argv[1:] or ["--help"]
    if args and f"{name} {args[0]}" in COMMANDS:  # a command of two words
        name, args = f"{name} {args[0]}", args[1:]
    if name in ("-h", "--help"):
        print(_overview())
    elif name == "--version":
        print(_version())
    elif name in COMMANDS:
        _run(name, args)
    else:
        close = get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "see passband --help"
        _refuse(f"unknown command {name!r}: {hint}")


def _run(name: str, args: list[str]) -> None:
    module, kind, _ = COMMANDS[name]
    try:
        _parse(getattr(import_module(module), kind), name, args).run()
    except BrokenPipeError:
        raise
    except (ValueError, OSError, MemoryError) as error:
        _refuse(str(error) or type(error).__name__)
    except KeyboardInterrupt:
        print(f"passband {name}: interrupted", file=sys.stderr)
        raise SystemExit(130) from None


def _parse(kind: Any, name: str, args: list[str]) -> Any:  # noqa: ANN401
    """The options of a command; tyro's framed complaint is cut down to one line."""
    import tyro  # noqa: PLC0415 - only once a command is known

    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(kind, prog=f"passband {name}", args=args)
    except SystemExit as ended:
        if ended.code:
            _refuse(f"{_first_words(complaint.getvalue())} (see passband {name} --help)")
        raise


def _first_words(framed: str) -> str:
    """What stands in a frame before its first rule, and any suggestion after it.

    Frames are drawn with lines, or with hyphens where stdout cannot encode lines.
    """
    lines = [line.strip("│ ") for line in framed.splitlines()[1:]]  # the first is a title
    parts = groupby(lines, key=lambda line: not line.strip("─-╰╯"))
    said, *after = [list(part) for is_rule, part in parts if not is_rule]
    if after and after[0][0].startswith("Perhaps"):
        said[-1] += f": {' '.join(after[0][:2])}"
    number = r"invalid literal for int\(\) with base 10: ('.*')"
    return re.sub(number, r"\1 is not a whole number", " ".join(said))


def _refuse(reason: str) -> NoReturn:
    """End with one line on stderr and exit status 2."""
    print(f"passband: {' '.join(reason.split())}", file=sys.stderr)
    raise SystemExit(2)


def _version() -> str:
    try:
        return version("passband")
    except PackageNotFoundError:
        _refuse("not installed, so its version is only in pyproject.toml: pip install -e .")


def _overview() -> str:
    width = max(map(len, COMMANDS))
    rows = (f"  {name:{width}}  {what}" for name, (_, _, what) in COMMANDS.items())
    return "\n".join(
        (
            "passband COMMAND ...: which prompts should an RLVR run roll out, and how often?",
            "",
            *rows,
            "",
            "passband COMMAND --help lists the options of a command.",
        )
    )


if __name__ == "__main__":
    main()
