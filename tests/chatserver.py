"""An OpenAI-compatible endpoint for tests: the documented format, and everything that goes wrong.

https://platform.openai.com/docs/api-reference/chat is what it speaks.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["ChatServer", "chat_server"]

Answering = Callable[[Mapping[str, Any]], Any]
"""From the body of a request to the action: any JSON value, or a raw str behind `raw:`."""


class ChatServer(ThreadingHTTPServer):
    """It answers by `answering`, and before that does what `troubles` hold, in order."""

    daemon_threads = True

    def __init__(self, answering: Answering, abilities: tuple[str, ...]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answering = answering
        self.abilities = abilities
        """Of tools, json_schema and json_object those that it can do; the others it ignores."""
        self.troubles: deque[Any] = deque()
        self.refuses: dict[str, str] = {}
        """Parameter -> the message with which requests that hold it are refused."""
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.answers_at_once = 0
        self.most_at_once = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1#tiny"


class _Handler(BaseHTTPRequestHandler):
    server: ChatServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.requests.append(body)
            server.headers.append(dict(self.headers.items()))
            trouble = server.troubles.popleft() if server.troubles else None
            server.answers_at_once += 1
            server.most_at_once = max(server.most_at_once, server.answers_at_once)
        try:
            if trouble is not None:
                self._trouble(trouble)
                return
            for name, message in server.refuses.items():
                if name in body:
                    self._send(400, {"error": {"message": message, "code": "unsupported"}})
                    return
            self._send(200, self._completion(body))
        except (BrokenPipeError, ConnectionResetError):
            pass  # whoever asked has given up
        finally:
            with server.lock:
                server.answers_at_once -= 1

    def _completion(self, body: Mapping[str, Any]) -> dict[str, Any]:
        value = self.server.answering(body)
        message: dict[str, Any] = {"role": "assistant", "content": None}
        finish = "stop"
        wanted = body.get("response_format", {}).get("type")
        if isinstance(value, str) and value.startswith("raw:"):
            message["content"] = value.removeprefix("raw:")
        elif isinstance(value, dict) and value.keys() == {"refusal"}:
            message |= value
        elif "tools" in body and "tools" in self.server.abilities:
            named = body["tools"][0]["function"]
            word = list(named["parameters"]["properties"])[-1]
            function = {"name": named["name"], "arguments": json.dumps({word: value})}
            message["tool_calls"] = [{"id": "1", "type": "function", "function": function}]
            finish = "tool_calls"
        elif wanted in self.server.abilities:
            form = body["response_format"]
            schema = form["schema"] if "schema" in form else form["json_schema"]["schema"]
            message["content"] = json.dumps({list(schema["properties"])[-1]: value})
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            word = "Plan" if "Plan: <" in json.dumps(body["messages"]) else "Action"
            message["content"] = f"Let me see.\n{word}: {text}"
        return {
            "object": "chat.completion",
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107},
        }

    def _trouble(self, trouble: Any) -> None:
        if trouble == "silence":
            self.server.over.wait(30)
        elif trouble == "close":
            self.close_connection = True
        elif trouble == "garbage":
            self._send_bytes(200, b"<html>\x1b[31mBad gateway</html>")
        elif trouble == "nonsense":
            self._send(200, {"choices": [{"message": {"content": 7}}]})
        elif trouble == "deep":
            self._send_bytes(200, b"[" * 100_000)
        elif trouble == "huge":
            self._send_bytes(200, b" " * (5 << 20))
        elif trouble == "trickle":
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            while not self.server.over.is_set():
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.02)
        else:
            status, headers, said = trouble
            self._send(status, {"error": {"message": said}}, headers)

    def _send(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        self._send_bytes(status, json.dumps(value).encode(), headers)

    def _send_bytes(
        self, status: int, content: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def chat_server(
    answering: Answering, abilities: tuple[str, ...] = ("tools", "json_schema", "json_object")
) -> Iterator[ChatServer]:
    """A server on a free port of this machine."""
    server = ChatServer(answering, abilities)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
