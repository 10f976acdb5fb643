"""A Jupyter kernel in a process of its own, driven the way a notebook's page drives it."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Iterator
from typing import Any

from jupyter_client.manager import KernelManager

from evolution_ws.testing import FakeEvolutionServer

from .core_tools import ROOT
from .helpers import CEILING, MS


Message = dict[str, Any]


def quiet(condition: Callable[[list[Message]], object] = len) -> Callable[[list[Message]], bool]:
    """
    Return a condition: *condition* holds, and nothing was put out for a moment.

    So an interrupt meets the cell's own code, and not the kernel while it writes.
    """
    counted, since = 0, time.monotonic()

    def is_quiet(put_out: list[Message]) -> bool:
        nonlocal counted, since
        if len(put_out) != counted:
            counted, since = len(put_out), time.monotonic()
        return bool(condition(put_out)) and time.monotonic() - since > 100 * MS

    return is_quiet


class Kernel:
    """
    A kernel whose ``EVOLUTION_*`` variables name *server*.

    Args:
        server:
            The server.
        cells:
            Cells to run at first.
    """

    def __init__(self, server: FakeEvolutionServer, *cells: str) -> None:
        environ = {**os.environ, "EVOLUTION_URL": server.url, "EVOLUTION_INSTANCE": "sales"}
        environ |= {"EVOLUTION_BACKFILL": "no", "PYTHONPATH": str(ROOT)}
        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel(env=environ)
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=3 * CEILING)
        for cell in ("from evolution_ws import Client, notebook", *cells):
            assert self.run(cell) == []

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()

    def run(
        self, cell: str, until: Callable[[list[Message]], object] | None = None
    ) -> list[Message]:
        """
        Run *cell*, and return what it put out.

        Args:
            cell:
                Its source.
            until:
                Gets what was put out so far, again and again; the cell is interrupted when it
                returns true. None waits for the end of the cell.
        """
        request = self._client.execute(cell)
        put_out: list[Message] = []
        has_begun = False
        deadline = time.monotonic() + 3 * CEILING
        while time.monotonic() < deadline:
            if until is not None and has_begun and until(put_out):
                self._manager.interrupt_kernel()
                until = None
            for message in self._messages(request):
                has_begun |= message["msg_type"] == "execute_input"
                if message["content"].get("execution_state") == "idle":
                    return put_out
                if message["msg_type"] not in ("status", "execute_input"):
                    put_out.append({"type": message["msg_type"], **message["content"]})
        raise AssertionError("the cell does not end")

    def _messages(self, request: str) -> Iterator[Message]:
        """Yield what the kernel says of *request* within a moment."""
        try:
            while True:
                message = self._client.get_iopub_msg(timeout=20 * MS)
                if message["parent_header"].get("msg_id") == request:
                    yield message
        except queue.Empty:
            return

    def value(self, expression: str) -> str:
        """Return what *expression* prints as."""
        (shown,) = self.run(f"print({expression})")
        return str(shown["text"]).strip()
