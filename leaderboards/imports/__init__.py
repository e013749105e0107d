"""Results of other programs as run directories: see docs/exports.md."""
