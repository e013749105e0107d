"""Entries of the board: a run that anybody can check, small enough for a pull request.

`write` makes an entry from a run, `check` says whether it is what it claims to be, and both share
`describe`: everything in entry.json that follows from the run's own files.
"""
