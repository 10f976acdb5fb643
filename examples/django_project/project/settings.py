"""Settings of the example; what differs between machines comes from the environment."""

import os
from pathlib import Path


BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = os.environ.get("DJANGO_DEBUG", "1") == "1"
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "for-the-example-only")
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]

EVOLUTION_WS = {
    "URL": os.environ.get("EVOLUTION_URL", "http://localhost:8080"),
    "INSTANCE": os.environ.get("EVOLUTION_INSTANCE", "sales"),
    "API_KEY": os.environ.get("EVOLUTION_API_KEY"),
    "EVENTS": ["messages.upsert", "send.message"],
}

INSTALLED_APPS = [
    "django.contrib.staticfiles",
    "evolution_ws.integrations.django",
    "inbox.apps.InboxConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DJANGO_DATABASE", BASE_DIR / "db.sqlite3"),
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
STATIC_URL = "static/"

# The library says what it has to say through logging; without this nobody would hear it.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
USE_TZ = True
