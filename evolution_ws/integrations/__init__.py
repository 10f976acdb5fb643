"""
Evolution API's events inside other people's frameworks.

Each module imports its framework, and nothing imports it but you:
:mod:`~evolution_ws.integrations.django`, :mod:`~evolution_ws.integrations.flask`,
:mod:`~evolution_ws.integrations.celery`, :mod:`~evolution_ws.integrations.gunicorn`.
"""
