"""Threads, since each open page keeps one busy; restarts end the streams and the client."""

from evolution_ws.integrations.gunicorn import post_worker_init, worker_exit  # noqa: F401


wsgi_app = "project.wsgi"
worker_class = "gthread"
threads = 16
