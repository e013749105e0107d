"""`--agent starvla:ws://HOST:PORT`: a policy server of starVLA.

It sends its metadata first, as openpi's does; a request is a map of `type`, `request_id` and
`payload`, the reply one of `ok`, `request_id` and `data` or `error`. Actions come un-normalised.

Sources: deployment/model_server/{policy_wrapper,tools/websocket_policy_server}.py of
starVLA/starVLA.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.core import Turn, UserError
from harness.policies.openpi import actions_in
from harness.policies.wire.connection import Connection, Reported
from harness.policies.wire.packing import Malformed, pack, unpack
from harness.policies.wire.pool import metadata_of
from harness.policies.wire.remote import RemotePolicy

__all__ = ["StarVLA"]


class StarVLA(RemotePolicy):
    """A policy server of starVLA.

    Pictures are the list `image`, in the order of the profile or, without one, of the views; the
    instruction is `lang`, other values keep their keys.
    """

    def __init__(
        self,
        address: str,
        unnorm_key: str = "",
        options: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """`unnorm_key`: which statistics un-normalise the actions; empty: the server's own.

        `options`: further arguments of the policy's `predict_action`. Others: see RemotePolicy.
        Raises UserError.
        """
        if options is not None and not isinstance(options, Mapping):
            raise UserError(f"options is a map of arguments, got {options!r}")
        self._key = unnorm_key
        self._options = {"do_sample": False} if options is None else dict(options)
        self._asked = 0
        self._waited: dict[str, str] = {}
        super().__init__(address, **more)

    def _greet(self, connection: Connection) -> Mapping[Any, Any]:
        return metadata_of(connection, self._limits)

    def _reading(self, told: Mapping[Any, Any]) -> tuple[tuple[str, ...], int]:
        keys = told.get("available_unnorm_keys") or []
        names = ", ".join(map(str, keys))[:300] if isinstance(keys, list) else ""
        if self._key and isinstance(keys, list) and keys and self._key not in keys:
            raise UserError(f"the server has no statistics {self._key!r}, but {names}")
        if not self._key and told.get("default_unnorm_key") is None and "," in names:
            raise UserError(
                f"the server has several statistics: name one of {names} with --agent-arg "
                "unnorm_key=NAME"
            )
        return super()._reading(told)

    def _packed(self, turn: Turn) -> Sequence[bytes]:
        example: dict[str, Any] = {"image": [], "lang": turn.instruction}
        for key, value in self._encoding.observation(turn).items():
            if isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == 3:
                example["image"].append(value)
            elif not isinstance(value, str):
                example[key] = value
        self._asked += 1
        request = self._waited[turn.episode] = str(self._asked)
        payload = {"examples": [example], "unnorm_key": self._key or None, **self._options}
        return [pack({"type": "infer", "request_id": request, "payload": payload})]

    def _read(self, message: bytes, turn: Turn) -> Any:
        reply = unpack(message)
        if not isinstance(reply, dict) or reply.get("request_id") != self._waited[turn.episode]:
            raise Malformed("it is no reply to the request")
        if reply.get("ok") is not True:
            error = reply.get("error")
            text = error.get("message") if isinstance(error, dict) else error
            raise Reported(str(text)[:500])
        actions = np.asarray(actions_in(reply.get("data")))
        if actions.ndim != 3 or len(actions) != 1:
            raise Malformed(f"`actions` have the shape {actions.shape}, not (1, steps, size)")
        return self._encoding.answer(actions[0], turn)
