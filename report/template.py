"""The words and the look of the page that do not depend on the runs."""

from collections.abc import Mapping
from string import Template
from types import MappingProxyType

CAPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "overview": "Geometric-mean cost of reaching each world's target, relative to the"
        " baseline. Blue is cheaper, red dearer; a bound beyond which the truth may be either"
        " has no colour. Colours end at a factor of 16, numbers do not.",
        "curves": "Progress against each currency: mean over seeds and its 95% interval. Each"
        " curve ends where the cheapest of its runs does; the dotted line is the target. Wide"
        " bands go on beyond the panel.",
        "ratios": "Cost of reaching the target relative to the baseline, paired by seed, with"
        " 95% intervals. Arrows: some seed never reached it, and the truth lies past the dot.",
    }
)

READING = """\
Every number in a table is the cost of reaching the target divided by the baseline's cost, seed\
 by seed, then averaged geometrically: 0.50 is half the cost, 2.00 twice. Brackets are 95%\
 intervals over seeds (Student's t on log ratios). An interval that contains 1\
 cannot tell the strategy from the baseline at this number of seeds; that is no sign that they\
 are equal. With many strategies side by side, one interval in twenty misses by chance.

The currencies disagree, and which one counts is yours to say: generation-bound runs pay for\
 rollouts and serial rounds, training-bound ones for trained rollouts and optimizer updates.\
 Fewer training steps at more optimizer updates each are no saving.

≥ marks a lower bound: some seeds never reached the target, so the true ratio is at least\
 this; ≤ says the same of the baseline's seeds. Oracle gain is the share of the saving of a\
 rule that knows every pass rate; it is left out where the oracle shows no saving."""

STYLE = """\
:root { color-scheme: light dark; --ink: #1c1e21; --soft: #5c6370; --rule: #d9dce1;
  --ground: #ffffff; --panel: #f6f7f9; --cheaper: #0b5cad; --dearer: #b2332a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e6ea; --soft: #9aa2af;
  --rule: #383d45; --ground: #15171a; --panel: #1e2126; --cheaper: #7db8f5;
  --dearer: #f19a8e; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1, h2, p, li, caption, figcaption { overflow-wrap: anywhere; }
main { max-width: 66rem; margin: 0 auto; padding: 3rem 1.5rem 5rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .5rem; letter-spacing: -.015em; }
h2 { font-size: 1.35rem; margin: 3.5rem 0 .75rem; padding-top: 1.25rem;
  border-top: 1px solid var(--rule); }
p { max-width: 44rem; margin: 0 0 .9rem; }
a { color: inherit; text-decoration-color: var(--soft); text-underline-offset: .2em; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0;
  margin: 1rem 0 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .45rem .8rem .45rem 0;
  border-bottom: 1px solid var(--rule); }
th { font-weight: 600; }
.grid { width: 100%; }
.grid th + th, .grid td { text-align: right; padding: .45rem 0 .45rem .8rem; }
.grid thead th { color: var(--soft); vertical-align: bottom; }
.grid tbody th { white-space: nowrap; }
.grid small { display: block; color: var(--soft); font-size: .75rem; font-weight: 400;
  white-space: nowrap; }
.cheaper { color: var(--cheaper); font-weight: 650; }
.dearer { color: var(--dearer); }
.note { color: var(--soft); font-size: .85rem; margin-top: .6rem; }
figure { margin: 1.75rem 0; }
figure img { display: block; width: 100%; height: auto; background: #ffffff;
  border-radius: 6px; padding: .75rem; border: 1px solid var(--rule); }
figcaption { color: var(--soft); font-size: .85rem; margin-top: .5rem; max-width: 44rem; }
pre { background: var(--panel); border: 1px solid var(--rule); border-radius: 6px;
  padding: .8rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem; }
@media print { main { max-width: none; padding: 0; } body { font-size: 10.5pt; }
  figure, tr { break-inside: avoid; } h2 { break-after: avoid; } nav { display: none; } }
"""

PAGE = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
$style</style>
</head>
<body>
<main>
<header><h1>$title</h1>$lead<nav><ul>$contents</ul></nav></header>
<section><h2>How to read it</h2>$reading</section>
$sections
<section><h2>What was assumed</h2>
<div class="wide"><table><tbody>$assumptions</tbody></table></div></section>
<section><h2>How it was made</h2><pre>$command</pre></section>
</main>
</body>
</html>
""")
