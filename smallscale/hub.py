"""Data sets of the Hugging Face hub, by name.

Ids, splits and columns were read in public code and data set cards, November 2026; nothing was
fetched, for lack of a network. Should a set have changed since, the row that does not fit is
named together with the columns it has. What sources disagree on:

- `dapo17k` is the deduplicated copy by open-r1, 17,398 prompts in English and Chinese, as many
  as SPEED used (16,398 to train, 1,000 held out); `dapo17k-en` are its 14,116 English ones. The
  original, BytedTsinghua-SIA/DAPO-Math-17k, repeats every prompt about a hundred times. Most
  readers take `prompt` for the bare problem, one says that it carries DAPO's own instruction:
  look at a prompt before a long run.
- "AMC23" is two sets: the 40 problems of `amc23-40`, and the 83 of `amc23-83`, drawn from
  AMC 12 of 2022 and 2023, which SPEED's tables use. Results on one say nothing of the other.
- `numinamath` has solutions, not answers: an answer is what the last box holds. SPEED further
  keeps only whole-number answers of problems that ask for no proof; nothing is filtered here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from selection.settings import SettingError, nearest
from smallscale.rows import Columns, Row, needed, read

COLUMNS = Columns(prefixed=True)
DAPO = Columns(problem="prompt", answer="solution", key="extra_info.index", prefixed=True)


@dataclass(frozen=True, kw_only=True)
class HubSet:
    """A data set of the hub: its id, configuration, split and columns, and what it is."""

    hub_id: str
    config: str | None = None
    split: str
    columns: Columns = COLUMNS
    about: str


HUB: Mapping[str, HubSet] = MappingProxyType(
    {
        "deepscaler": HubSet(
            hub_id="agentica-org/DeepScaleR-Preview-Dataset",
            split="train",
            about="about 40,000 competition problems (AIME, AMC, Omni-MATH, STILL); no ids",
        ),
        "dapo17k": HubSet(
            hub_id="open-r1/DAPO-Math-17k-Processed",
            config="all",
            split="train",
            columns=DAPO,
            about="DAPO-17k, deduplicated: 17,398 problems with whole-number answers",
        ),
        "dapo17k-en": HubSet(
            hub_id="open-r1/DAPO-Math-17k-Processed",
            config="en",
            split="train",
            columns=DAPO,
            about="the 14,116 English problems of dapo17k",
        ),
        "numinamath": HubSet(
            hub_id="AI-MO/NuminaMath-CoT",
            split="train",
            columns=replace(COLUMNS, answer="solution", boxed=True),
            about="about 860,000 problems; the answer is boxed in a solution; no ids",
        ),
        "math500": HubSet(
            hub_id="HuggingFaceH4/MATH-500",
            split="test",
            columns=replace(COLUMNS, key="unique_id"),
            about="500 problems of the test set of MATH",
        ),
        "amc23-40": HubSet(
            hub_id="math-ai/amc23",
            split="test",
            columns=replace(COLUMNS, problem="question"),
            about="AMC 12 of 2023: the set of 40 problems",
        ),
        "amc23-83": HubSet(
            hub_id="AI-MO/aimo-validation-amc",
            split="train",
            about="AMC 12 of 2022 and 2023: the set of 83 problems that SPEED calls AMC23",
        ),
        "aime24": HubSet(
            hub_id="HuggingFaceH4/aime_2024",
            split="train",
            about="AIME I and II of 2024, 30 problems",
        ),
        "aime25": HubSet(
            hub_id="math-ai/aime25",
            split="test",
            about="AIME I and II of 2025, 30 problems",
        ),
    }
)


def fetched(name: str) -> Iterator[Row]:
    """The rows of a data set of the hub, from its cache if it is there.

    Raises:
        SettingError: There is no such name, the package `datasets` is missing, the hub cannot
            be reached, or a row lacks a column.
    """
    if name not in HUB:
        raise nearest(name, list(HUB), "data set")
    known = HUB[name]
    datasets = needed("datasets", "data", f"data set {name!r}")
    try:
        table = datasets.load_dataset(known.hub_id, known.config, split=known.split)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SettingError(
            f"data set {name!r} cannot be had from the hub ({reason}): check the network, "
            "or name a .jsonl or .parquet file"
        ) from error
    for number, values in enumerate(table, start=1):
        where = f"data set {name!r} ({known.hub_id}), row {number}"
        yield read(values, known.columns, where=where, family=name)
