"""Whether a Ray cluster asks for a token, and the token of one that is started here.

Whoever reaches the ports of a cluster without one can run any code there as its user.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping

from harness.core import UserError

__all__ = [
    "MODE",
    "Say",
    "TOKEN",
    "environment",
    "for_a_new_cluster",
    "for_the_cluster_at",
    "token_mode",
]

Say = Callable[[str], None]
"""Shows the user one line."""

MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
PROBE_S = 30.0
PROBE = """
import sys
from ray._raylet import GcsClient
from ray.exceptions import AuthenticationError
try:
    GcsClient(address=sys.argv[1]).internal_kv_get(b"bench", namespace=None, timeout=10)
except AuthenticationError:
    print("refused")
else:
    print("taken")
"""


def for_a_new_cluster(say: Say) -> dict[str, str]:
    """The variables that make a new cluster ask for a token: the user's, or a random one."""
    mode = os.environ.get(MODE)
    if mode is not None and mode.lower() != "token":
        say(
            f"{MODE}={mode} is not heeded for the Ray that this run starts: without a token, "
            "whoever reaches it could run code as you. It gets a token of its own"
        )
    own = os.environ.get(TOKEN, "").strip() or os.environ.get(TOKEN_PATH, "").strip()
    return {MODE: "token"} | ({} if own else {TOKEN: secrets.token_hex(32)})


def for_the_cluster_at(head: str, address: str, say: Say) -> dict[str, str]:
    """The variables with which one joins the cluster whose head listens at HOST:PORT.

    Says so if the cluster asks for no token. Raises UserError if it refuses the user's, or if it
    asks for none although the user wants one: Ray's workers would die there without a word.
    """
    mode = os.environ.get(MODE, "").lower()
    open_to_all = _takes(head, "disabled")
    if open_to_all and mode == "token":
        raise UserError(
            f"the Ray cluster at {address} asks for no token, and {MODE}=token is set here: set it "
            "where you start the cluster, too, or leave it out here"
        )
    if open_to_all:
        say(warning(address))
        return {MODE: "disabled"}
    if open_to_all is None:
        return {}
    if mode not in ("", "token") or not _takes(head, "token"):
        raise UserError(
            f"the Ray cluster at {address} asks for a token, and what is set here is not it: set "
            f"{MODE}=token, and {TOKEN} or {TOKEN_PATH}"
        )
    return {MODE: "token"}


def warning(address: str) -> str:
    """What to tell the user of a cluster that asks for no token."""
    return (
        f"the Ray cluster at {address} asks for no token: whoever reaches its ports can run code "
        f"there as its user. Start it with {MODE}=token (docs/cluster.md)"
    )


def _takes(head: str, mode: str) -> bool | None:
    """Whether a head lets a client of this mode in; None where that is not known.

    In another process: Ray's client prints a page about each refusal.
    """
    try:
        asked = subprocess.run(
            [sys.executable, "-c", PROBE, head],
            env={**os.environ, MODE: mode},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PROBE_S,
            text=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"taken": True, "refused": False}.get(asked.stdout.strip())


@contextlib.contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """While the block runs, these variables stand in the environment, and Ray has read them."""
    if not variables:
        yield
        return
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    _read_again()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        _read_again()


def _read_again() -> None:
    """Ray keeps what it read when it was imported.

    The order matters: a thread of Ray that still ends would look for a token that is gone.
    """
    with contextlib.suppress(ImportError, AttributeError):
        from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

        Config.initialize("")
        AuthenticationTokenLoader.instance().reset_cache()


def token_mode() -> bool:
    """Whether Ray in this process sends a token and asks for it. Older versions never do."""
    try:
        from ray._raylet import (  # type: ignore[attr-defined]
            AuthenticationMode,
            get_authentication_mode,
        )
    except ImportError:
        return False
    return bool(get_authentication_mode() == AuthenticationMode.TOKEN)
