"""Experiment trackers that a run is logged to; see docs/trackers.md.

`destination.py` reads what `--log` names, `reporters.py` starts a process for each tracker,
`reporter.py` is that process, and there is one file for each tracker.
"""
