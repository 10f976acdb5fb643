"""The addresses of the app."""

from django.urls import path

from . import views


urlpatterns = [
    path("", views.index, name="index"),
    path("events/", views.events, name="events"),
    path("reply/", views.reply, name="reply"),
]
