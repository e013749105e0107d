"""A package, so that it is found before a `tests` that some other distribution installs."""
