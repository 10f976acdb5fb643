"""The addresses of a small Django site for tests."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path

from evolution_ws.integrations.django import event_stream, get_client


def events(request: HttpRequest) -> HttpResponseBase:
    """Stream messages."""
    return event_stream(request, "messages.upsert", lifetime_seconds=2)


def emit(request: HttpRequest) -> HttpResponse:
    """Emit an event."""
    get_client().emit("sendNode", {"n": 1}, namespace="/")
    return HttpResponse("sent")


urlpatterns = [path("events/", events), path("emit/", emit)]
