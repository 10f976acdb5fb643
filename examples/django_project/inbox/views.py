"""A page, a stream for it, and the answer that it sends."""

from django.http import HttpResponseBadRequest, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from evolution_ws import ApiError
from evolution_ws.integrations.django import event_stream, get_client

from .models import Message


@require_GET
def index(request):
    """Show the newest messages; the page keeps itself up to date."""
    newest = Message.objects.order_by("-sent_at", "-pk")[:50]
    return render(request, "inbox/index.html", {"messages": reversed(newest)})


@require_GET
def events(request):
    """Stream messages as they come. A real site asks here who is looking."""
    return event_stream(request, "messages.upsert", "send.message", serialize=shown)


def shown(event):
    """Return what the page needs of a message."""
    message = event.message
    return {
        "chat": message.chat,
        "author": message.push_name,
        "text": message.text,
        "fromMe": message.from_me,
    }


@require_POST
def reply(request):
    """Send the answer over REST."""
    instance, chat, text = (request.POST.get(key, "") for key in ("instance", "chat", "text"))
    if not instance or not chat or not text:
        return HttpResponseBadRequest("instance, chat and text are needed")
    try:
        sent = get_client().api.send_text(instance, chat, text)
    except ApiError as exc:
        return JsonResponse({"error": str(exc)}, status=502)
    return JsonResponse({"id": sent["key"]["id"]})
