"""The contracts as tests: what the harness relies on, tried on a real adapter or agent.

The adapters and agents that come with bench pass the same tests.

In your own tests:

    from harness.testing import check_adapter, check_agent

    def test_my_simulator():
        check_adapter(MY_TASK)

    def test_my_agent():
        check_agent("my_package.agents:MyAgent", [MY_TASK], args={"size": "small"})

Both raise ContractError, an AssertionError whose message says what is wrong and how to fix it.
"""

from harness.testing.adapter_check import check_adapter
from harness.testing.agent_check import check_agent
from harness.testing.checks import ContractError

__all__ = ["ContractError", "check_adapter", "check_agent"]
