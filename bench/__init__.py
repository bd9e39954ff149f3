"""Side-by-side measurements: `make bench`, or `make bench ONLY=ingest` for those whose names start so.

A module here offers `FIGURES`, a mapping of names to functions (plain or async) that measure and return one
`bench.report.Figure`. Whatever a figure is held against is measured in the same run, on the same machine.
"""
