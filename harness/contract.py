"""The old name of harness.testing."""

from __future__ import annotations

import warnings

from harness.testing import ContractError, check_adapter, check_agent

__all__ = ["ContractError", "check_adapter", "check_agent"]

warnings.warn("harness.contract is called harness.testing now", DeprecationWarning, stacklevel=2)
