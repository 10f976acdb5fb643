"""What ``evolution-ws forward`` runs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Any

from celery.app.utils import find_app

from ... import Client, ConfigError
from .cluster import Cluster
from .forwarder import forward
from .settings import redis_url
from .shards import chat_key, per_chat


__all__ = ["load_app", "run_forwarder"]

_log = logging.getLogger("evolution_ws.forward")


def run_forwarder(
    app: str,
    client: Client,
    *,
    task: str,
    queue: str | None = None,
    queues: int | None = None,
    routing_key: str | None = None,
    types: Sequence[str] = (),
    redis: str | None = None,
    shards: int = 1,
    name: str | None = None,
    lease: float = 2.0,
    check_task: bool = True,
) -> None:
    """
    Forward the events of *client* until SIGTERM or Ctrl-C.

    Args:
        app:
            Where the Celery app is, as for ``celery --app``.
        client:
            A client that is not connected yet; see :func:`forward`.
        task:
            Name of the task.
        queue:
            Name of the queue; None leaves it to the app.
        queues:
            Number of queues over which the chats are spread, ``<queue>.0`` and so on;
            None sends everything to *queue* itself.
        routing_key:
            The routing key; ``"chat"`` gives each chat one of its own.
        types:
            Names of the events to forward; none for all.
        redis:
            Address of the Redis that several forwarders share; ``"broker"`` takes that of the
            app. None when this is the only forwarder.
        shards:
            Parts that the instances are spread over; see :class:`Cluster`.
        name:
            Name of the cluster; None takes that of the task.
        lease:
            Seconds that a lease lasts.
        check_task:
            Whether the app has to know the task here.

    Raises:
        ConfigError: The arguments cannot work, or there is no such app or task.
        EvolutionError: The connection failed for good.
    """
    found = load_app(app)
    if queues is not None and queue is None:
        raise ConfigError("name the queue whose parts the chats are spread over")
    place = per_chat(queue, queues) if queue is not None and queues is not None else queue
    forward(
        found,
        client,
        task=task,
        queue=place,
        routing_key=chat_key if routing_key == "chat" else routing_key,
        types=tuple(types),
        cluster=_cluster(found, redis, shards, name, lease),
        check_task=check_task,
    )


def _cluster(
    app: Any, redis: str | None, shards: int, name: str | None, lease: float
) -> Cluster | None:
    if redis is None:
        if shards != 1:
            raise ConfigError("shards are for several forwarders, which share a Redis: name it")
        return None
    url = redis_url(app) if redis == "broker" else redis
    if url is None:
        raise ConfigError(
            "the broker of the app is no Redis; give the address of one, redis://…, or set "
            "evolution_redis_url in the app"
        )
    return Cluster(redis_url=url, shards=shards, name=name, lease=lease)


def load_app(name: str) -> Any:
    """
    Return the Celery app that *name* stands for, as for ``celery --app``.

    Raises:
        ConfigError: There is none.
    """
    if "" not in sys.path:
        sys.path.insert(0, "")  # as celery does: an app beside the user is found
    try:
        found = find_app(name)
    except (ImportError, AttributeError, ValueError) as exc:
        raise ConfigError(
            f"there is no Celery app {name!r} ({exc}); name its module as for celery --app, "
            "proj.celery or proj.celery:app, and run this where that module can be imported"
        ) from exc
    if not hasattr(found, "send_task"):
        raise ConfigError(f"{name!r} is {type(found).__name__} and no Celery app")
    return found
