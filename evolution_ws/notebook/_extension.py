"""
What IPython is asked to do, so that a cell that runs again leaves no second listener.

A client that nobody holds closes itself; but IPython holds what a cell returned (``Out``,
``_``), and after an exception the frames in which it was raised. Both are let go of.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from types import FrameType
from typing import Any

from ..client import Client
from ..subscription import Subscription


__all__ = ["load_ipython_extension", "unload_ipython_extension"]

_PACKAGE = __name__.partition(".")[0]


def load_ipython_extension(ipython: Any) -> None:
    """
    Keep IPython from keeping clients: what ``%load_ext evolution_ws.notebook`` calls.

    From then on a client that a cell showed is not in ``Out``, and an interrupted cell holds no
    client by its traceback. Loading it twice does nothing.
    """
    if _after_cell not in ipython.events.callbacks["post_run_cell"]:
        ipython.events.register("post_run_cell", _after_cell)


def unload_ipython_extension(ipython: Any) -> None:
    """Undo :func:`load_ipython_extension`."""
    if _after_cell in ipython.events.callbacks["post_run_cell"]:
        ipython.events.unregister("post_run_cell", _after_cell)


def _after_cell(result: Any) -> None:
    error = result.error_in_exec
    if error is not None:
        _let_go_of_frames(error)
    if isinstance(result.result, (Client, Subscription)):
        _let_go_of_output(sys.modules["IPython"].get_ipython(), result.result)
        result.result = None


def _let_go_of_frames(error: BaseException) -> None:
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = [frame for frame in frames if _is_ours(frame)]
    # After an interrupt nobody looks for a mistake: functions of the user's can let go as well.
    for frame in frames if ours and isinstance(error, KeyboardInterrupt) else ours:
        with contextlib.suppress(RuntimeError):  # one that is still running is left alone
            frame.clear()
        # Tracebacks with variables leave a copy behind before Python 3.13: reading renews it.
        _ = frame.f_locals


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] == _PACKAGE


def _let_go_of_output(ipython: Any, shown: object) -> None:
    hook = ipython.displayhook
    # IPython has the last results in five places, one of them to tell them from the user's names.
    for namespace in (ipython.user_ns.get("_oh", {}), ipython.user_ns_hidden, ipython.user_ns):
        for name in [name for name, item in namespace.items() if item is shown]:
            if not isinstance(name, str) or name.strip("_").isdigit():
                del namespace[name]
            elif not name.strip("_"):
                namespace[name] = ""
    for name in ("_", "__", "___"):
        if getattr(hook, name, None) is shown:
            setattr(hook, name, "")
