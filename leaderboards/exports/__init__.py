"""Runs in other programs' formats, one file for each: see docs/exports.md."""
