"""
Events as Celery tasks.

* :func:`forward`, :class:`Forwarder`: each event becomes a task call on the app's broker;
* :class:`EventTask`: base of tasks that handle each event once;
* :class:`Cluster`: several forwarders, of which one at a time sends;
* :func:`per_chat`, :func:`chat_key`: keep the order of a chat;
* :func:`get_client`: the client inside tasks;
* :class:`ForwarderStep`: a forwarder that lives in a worker;
* :func:`run_forwarder`: what the command ``evolution-ws forward`` runs.

Nothing connects when this is imported.
"""

from __future__ import annotations


try:
    import celery as _celery  # noqa: F401 - asked for here, so that what is missing has one sentence
    import redis as _redis  # noqa: F401
except ImportError as exc:
    raise ImportError(
        f"evolution_ws.integrations.celery needs {exc.name}: pip install 'evolution-ws[celery]'"
    ) from exc

from .bootstep import ForwarderStep
from .clients import close_clients, get_client
from .cluster import Cluster
from .command import run_forwarder
from .forwarder import Forwarder, ForwardStats, forward
from .shards import chat_key, per_chat
from .tasks import EventTask


__all__ = [
    "Cluster",
    "EventTask",
    "ForwardStats",
    "Forwarder",
    "ForwarderStep",
    "chat_key",
    "close_clients",
    "forward",
    "get_client",
    "per_chat",
    "run_forwarder",
]
