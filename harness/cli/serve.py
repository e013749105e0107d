"""`bench serve`: an agent as a policy server."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.options import AgentArgs, AgentName, AgentTimeout, Interpreters, arguments
from harness.cli.output import DONE, WITH_ERRORS, say

__all__ = ["serve"]


def serve(
    agent: AgentName,
    host: Annotated[
        str, typer.Option(help="Where to listen. Beyond this machine a token is required.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0: any that is free.")] = 8000,
    agent_arg: AgentArgs = None,
    profile: Annotated[
        str, typer.Option(help="What clients other than bench send and take: see docs/policies.")
    ] = "",
    action_size: Annotated[
        int | None,
        typer.Option(
            help="Without a profile: how many numbers from -1 to 1 an action has for clients other "
            "than bench; the keys that they send are the views."
        ),
    ] = None,
    token_env: Annotated[
        str, typer.Option(help="The environment variable with the token that clients must send.")
    ] = "",
    batch: Annotated[int, typer.Option(help="The most turns that the agent is given at once.")] = (
        256
    ),
    max_connections: Annotated[int, typer.Option(help="Others are refused.")] = 256,
    max_frame_mb: Annotated[float, typer.Option(help="The largest message, in MiB.")] = 256.0,
    idle: Annotated[
        float, typer.Option(help="Seconds without a message after which a connection is closed.")
    ] = 3600.0,
    agent_timeout: AgentTimeout = 600.0,
    interpreter: Interpreters = None,
) -> int:
    """Let others ask an agent, by openpi's websocket protocol.

    `bench run --agent openpi:ws://HOST:PORT` plays with it as if it were here. Ends on Ctrl-C or
    SIGTERM, after the answers that are under way.
    """
    from harness.core import UserError
    from harness.host.interpreters import configured
    from harness.policies.serving.server import ServerOptions
    from harness.policies.serving.server import serve as serve_agent
    from harness.policies.wire.address import token_from

    if profile and action_size is not None:
        raise UserError("--action-size is said by the profile: leave one of the two out")
    token = token_from(token_env)
    options = ServerOptions(
        host=host,
        port=port,
        token=token,
        batch=batch,
        agent_timeout=agent_timeout,
        max_frame_mb=max_frame_mb,
        max_connections=max_connections,
        idle_s=idle,
    )
    options.check()
    with configured(interpreter or ()):
        from harness.cli.names import agent_named
        from harness.play.closing import close
        from harness.play.inference import Watch
        from harness.policies.serving.forms import form_of
        from harness.policies.wire.extension import Extension

        spec = agent_named(agent, arguments(agent_arg))
        form = form_of(profile, action_size)
        built = spec.build()
        told = Extension(spec.name, spec.fingerprint(), tuple(built.reads), built.history, batch)
        ended = serve_agent(
            built, told, options, form, lambda url: say(f"serving {spec.name} at {url}")
        )
        if ended is not None:
            # The thread of the agent cannot be ended, nor what it holds be closed.
            say(f"bench: {ended}: the server ends")
            return WITH_ERRORS
        close(built, Watch())
    say("the server has ended")
    return DONE
