"""Whom to ask: the URL, the model, and the name of the environment variable that holds the key."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from harness.core import UserError

__all__ = ["Address", "read_key"]

OPENAI = "api.openai.com"
OPENAI_KEY = "OPENAI_API_KEY"
PATH = "/chat/completions"
USAGE = "chat:URL#MODEL, such as chat:http://127.0.0.1:8000/v1#my-model"


@dataclass(frozen=True)
class Address:
    """An endpoint and a model of it."""

    url: str
    """Where chat completions are posted to."""
    model: str
    host: str
    encrypted: bool
    """Whether it is an https address."""

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address in `URL#MODEL`.

        `/v1` stands for an empty path, and `/chat/completions` is added where it is missing.
        Raises UserError; a URL with a name and a password is refused, since it would be stored.
        """
        url, sharp, model = text.strip().partition("#")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as wrong:
            raise UserError(f"the address {url[:200]!r} is no URL: {wrong}") from None
        if parts.scheme not in ("http", "https") or not host:
            raise UserError(f"the address {url[:200]!r} is no http or https URL: write {USAGE}")
        if parts.username or parts.password:
            raise UserError(
                "the address holds a name or a password, which would be stored with the run: put "
                "the key into an environment variable, and name that with --agent-arg key_env=NAME"
            )
        if not sharp or not model.strip():
            raise UserError(f"the address {url[:200]!r} names no model: write {USAGE}")
        path = parts.path.rstrip("/") or "/v1"
        path = path if path.endswith(PATH) else path + PATH
        name = f"[{host}]" if ":" in host else host
        where = f"{parts.scheme}://{name}{'' if port is None else f':{port}'}{path}"
        query = f"?{parts.query}" if parts.query else ""
        return cls(where + query, model.strip(), host, parts.scheme == "https")

    @property
    def loopback(self) -> bool:
        """Whether it is on this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclass(frozen=True)
class Key:
    """A key that no representation shows."""

    secret: str = field(repr=False)

    def hidden_in(self, text: str) -> str:
        """`text` without the key."""
        return text.replace(self.secret, "(the key)") if self.secret else text


def read_key(address: Address, key_env: str) -> Key:
    """The key for an address; an empty one where none is needed.

    `key_env`: the name of the environment variable that holds it. Empty: OPENAI_API_KEY for OpenAI
    itself, and none for anybody else, so that no host gets a key that is not meant for it.

    Raises UserError where the variable is not set, and where the key would travel unencrypted.
    """
    name = key_env or (OPENAI_KEY if address.host == OPENAI else "")
    if not name:
        return Key("")
    secret = os.environ.get(name, "").strip()
    if not secret:
        raise UserError(f"the environment variable {name} holds no key for {address.host}: set it")
    if not secret.isascii() or not secret.isprintable():
        raise UserError(f"the environment variable {name} holds characters that no key has")
    if not (address.encrypted or address.loopback):
        raise UserError(
            f"the key in {name} would be sent to {address.host} unencrypted: use an https address, "
            "or a tunnel to this machine"
        )
    return Key(secret)
