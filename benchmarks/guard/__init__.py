"""A guard that is no timed test: the work of the hot paths, counted, beside the counts that were stored.

`python -m benchmarks.guard` compares, `python -m benchmarks.guard --update` (`make guard`) stores anew.
"""
