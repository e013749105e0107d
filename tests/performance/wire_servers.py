"""The server loops of other projects around a policy that does nothing, for wire.py.

Run by wire.py: `PYTHON wire_servers.py openpi FILE PORT` (FILE: websocket_policy_server.py of
openpi's repository; PYTHON has openpi-client), `PYTHON wire_servers.py vla-eval PORT`, and
`PYTHON wire_servers.py vla-eval-client URL SECONDS PID`, which prints the microseconds of processor
time that a step takes with that project's own client, here and in the server PID.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

CHUNK = np.zeros((10, 7), np.float32)


def openpi(file: str, port: int) -> None:
    spec = importlib.util.spec_from_file_location("websocket_policy_server", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    class Still:
        def infer(self, observation: dict[str, Any]) -> dict[str, Any]:
            return {"actions": CHUNK}

    module.WebsocketPolicyServer(Still(), "127.0.0.1", port).serve_forever()


def vla_eval(port: int) -> None:
    from vla_eval.model_servers.predict import PredictModelServer
    from vla_eval.model_servers.serve import serve

    class Still(PredictModelServer):
        def predict(self, obs: Any, ctx: Any) -> Any:
            return {"actions": CHUNK[0]}

    serve(Still(), "127.0.0.1", port)


def vla_eval_client(url: str, seconds: float, server: int) -> None:
    import asyncio

    from vla_eval.connection import Connection
    from vla_eval.protocol.numpy_codec import set_image_format

    def spent() -> float:
        fields = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")

    async def measure(image_format: str) -> float:
        set_image_format(image_format)
        seen = {
            "images": {"image": np.random.default_rng(0).integers(0, 255, (224, 224, 3), "uint8")},
            "state": np.zeros(8, np.float32),
            "task_description": "go",
        }
        async with Connection(url) as connection:
            await connection.start_episode({"task": {}})
            await connection.act(seen)
            begun, until, count = spent(), time.perf_counter() + seconds, 0
            while time.perf_counter() < until:
                await connection.act(seen)
                count += 1
        return 1e6 * (spent() - begun) / count

    for image_format in ("raw", "png"):
        print(asyncio.run(measure(image_format)))


if __name__ == "__main__":
    kind, *rest = sys.argv[1:]
    if kind == "openpi":
        openpi(rest[0], int(rest[1]))
    elif kind == "vla-eval":
        vla_eval(int(rest[0]))
    else:
        vla_eval_client(rest[0], float(rest[1]), int(rest[2]))
