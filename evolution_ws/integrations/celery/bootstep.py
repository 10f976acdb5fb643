"""A forwarder that lives in a Celery worker."""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

from celery import bootsteps

from ... import Client, ConfigError, EvolutionError
from ...config import arguments_from_env
from .cluster import Cluster
from .forwarder import Forwarder
from .settings import client_arguments, forward_settings, redis_url


__all__ = ["ForwarderStep", "make_forwarder"]

_log = logging.getLogger("evolution_ws.forward")

# The client flushes and says goodbye in this time; the worker does not wait longer.
_STOP_TIMEOUT = 10.0


class ForwarderStep(bootsteps.StartStopStep):  # type: ignore[misc] # Celery ships no types
    """
    Runs a forwarder in the main process of a worker, beside the pool that runs the tasks.

    Example::

        app.conf.evolution_url = "https://api.example.com"
        app.conf.evolution_instance = "sales"
        app.conf.evolution_forward = {"task": "proj.tasks.handle", "durable": "inbox.db"}
        app.steps["worker"].add(ForwarderStep)

    ``evolution_forward`` holds arguments of :func:`forward` and, as ``durable``, the file of
    the inbox, in which ``%n`` stands for the worker's name. ``cluster`` is a dict of
    :class:`Cluster`'s fields, and ``{}`` by default where the app has a Redis: every
    worker may have this step, one of them sends. None for no cluster. A forwarder that fails
    for good says so in the log, at level CRITICAL; the worker goes on with its tasks.
    """

    # After the pool: what the workers' processes inherit should have no threads yet.
    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._forwarder: Forwarder | None = None
        self._thread: threading.Thread | None = None

    def start(self, parent: Any) -> None:
        """Start the forwarder, unless its settings are wrong."""
        try:
            self._forwarder = make_forwarder(parent.app, parent.hostname)
        except EvolutionError as exc:
            _log.critical("this worker forwards no events: %s", exc)
            return
        self._thread = threading.Thread(
            target=_run, args=(self._forwarder,), name="evolution-ws-forwarder", daemon=True
        )
        self._thread.start()

    def stop(self, parent: Any) -> None:
        """Stop the forwarder; what the broker has not got stays in a durable inbox."""
        forwarder, self._forwarder = self._forwarder, None
        thread, self._thread = self._thread, None
        if forwarder is not None and thread is not None:
            forwarder.stop()
            thread.join(_STOP_TIMEOUT)

    terminate = stop


def _run(forwarder: Forwarder) -> None:
    try:
        forwarder.run()
    except EvolutionError as exc:
        _log.critical("this worker forwards no events any more: %s", exc)
    except Exception:
        _log.critical("this worker forwards no events any more", exc_info=True)


def make_forwarder(app: Any, worker: str) -> Forwarder:
    """
    Return the forwarder that the settings of *app* describe.

    Args:
        app:
            The Celery app.
        worker:
            Name of the worker.

    Raises:
        EvolutionError: The settings are wrong, or the durable inbox cannot be used.
    """
    wanted = forward_settings(app)
    durable = wanted.pop("durable", None)
    cluster = _cluster(app, wanted.pop("cluster", {}))
    unknown = sorted(set(wanted) - _ARGUMENTS)
    if unknown:
        raise ConfigError(
            f"evolution_forward has the unknown key {unknown[0]!r}; there are "
            + ", ".join(sorted(_ARGUMENTS | {"cluster", "durable"}))
        )
    arguments = client_arguments(app) or arguments_from_env("EVOLUTION_", os.environ)
    if not arguments["url"]:
        raise ConfigError("set app.conf.evolution_url, or the environment variable EVOLUTION_URL")
    if durable is not None:
        arguments["durable"] = str(durable).replace("%n", worker)
    arguments["auto_ack"] = False  # an event is done when the broker has it
    client = Client(arguments.pop("url"), arguments.pop("instance"), **arguments)
    return Forwarder(app, client, cluster=cluster, **wanted)


_ARGUMENTS = {"check_task", "options", "queue", "routing_key", "task", "types"}


def _cluster(app: Any, wanted: Any) -> Cluster | None:
    if wanted is None or isinstance(wanted, Cluster):
        return wanted
    if not isinstance(wanted, dict):
        raise ConfigError("cluster has to be a dict such as {'shards': 8}, or None for no cluster")
    url = redis_url(app)
    if "redis_url" not in wanted and url is None:
        if not wanted:
            return None
        raise ConfigError("a cluster needs a Redis: set app.conf.evolution_redis_url")
    try:
        return Cluster(**{"redis_url": url, **wanted})
    except TypeError:
        raise ConfigError(
            "cluster may hold redis_url, name, shards, lease and expiry, not "
            + ", ".join(sorted(set(wanted) - {"redis_url", "name", "shards", "lease", "expiry"}))
        ) from None
