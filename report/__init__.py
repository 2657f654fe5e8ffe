"""What a run writes, and how it is read.

`record` is the file of one run, simulated or real; `currencies` are the costs progress is paid
in; `aggregate` turns seeds into estimates with intervals; `summary` makes the two tables that
everything else shows: `tables` in a terminal, `plots` as figures, `page` in a browser.
`outputs` puts them in a folder.
`record`, `currencies` and `aggregate` need numpy alone, so that simulating a run loads no
plotting.
"""
