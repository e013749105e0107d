# The types of `import bench`. A single module cannot carry py.typed, so the wheel installs this
# file as the stub package bench-stubs (PEP 561).
from harness.cli.api import compare as compare
from harness.cli.api import evaluate as evaluate
from harness.cli.api import load_run as load_run
from harness.cli.api import load_suite as load_suite
from harness.cli.checks import check_adapter as check_adapter
from harness.cli.checks import check_agent as check_agent
from harness.core import Adapter as Adapter
from harness.core import Agent as Agent
from harness.core import Answer as Answer
from harness.core import Case as Case
from harness.core import Suite as Suite
from harness.core import Task as Task
from harness.core import Turn as Turn
from harness.core import UserError as UserError

def main(*, supervise: bool = True) -> None: ...
