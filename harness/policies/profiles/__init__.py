"""Profiles: what somebody else's policy expects, as data, compared with a task before it is played.

A profile says which of our views becomes which of the policy's keys and how, what the numbers of
its action mean, and at which rate it decides. The profiles of known checkpoints are the TOML files
of this folder; a user's own are named by path. docs/policies/profiles.md describes the format.
"""

from __future__ import annotations

from harness.policies.profiles.mismatches import CODES, Mismatch
from harness.policies.profiles.profile import Profile
from harness.policies.profiles.reader import load_profile, profile_names

__all__ = ["CODES", "Mismatch", "Profile", "load_profile", "profile_names"]
