"""An agent in a package: all its files belong to its fingerprint."""
