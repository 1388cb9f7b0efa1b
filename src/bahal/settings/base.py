"""The settings proper.

Importing them touches no file but to read. An instance that has no secret key or no database yet can be imported,
checked and have its migrations written; what needs the missing thing then says so.

`BAHAL_ROLE` (owner, app, reader) is the database role of this process; `app` unless set. Only migrations are `owner`.
"""

import os
from typing import Any

from bahal.shared.database import DatabaseUnknown, RoleUnknown, address_of, password_of
from bahal.shared.home import Home, read_json
from bahal.shared.text import language_of

HOME = Home.of()

DEBUG = False
SECRET_KEY = (HOME.secret("django") or {}).get("key", "")
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

DOMAINS = (
    "arrears",
    "billing",
    "complaints",
    "consumers",
    "fieldwork",
    "incidents",
    "ledger",
    "meters",
    "network",
    "notices",
    "offices",
    "payments",
    "protection",
    "readings",
    "staff",
    "supply",
    "tariffs",
)
INSTALLED_APPS = [
    "django.contrib.sessions",
    "bahal.foundation.audit",
    *(f"bahal.domains.{domain}" for domain in DOMAINS),
    # Last: its migrations hold the views and functions that meet several nouns.
    "bahal.journeys",
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


def _database() -> dict[str, Any]:
    role = os.environ.get("BAHAL_ROLE", "app")
    if role not in ("owner", "app", "reader"):
        raise ValueError(f"BAHAL_ROLE={role}: Django works as owner, app or reader")
    try:
        address = address_of(HOME)
        password = password_of(HOME, role)  # type: ignore[arg-type]  # narrowed by the check above
    except (DatabaseUnknown, RoleUnknown):
        return {"ENGINE": "django.db.backends.dummy"}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": address.host,
        "PORT": address.port,
        "NAME": address.name,
        "USER": role,
        "PASSWORD": password,
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": dict(address.options),
    }


DATABASES = {"default": _database()}

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "bahal.edges.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [
            os.path.join(os.path.dirname(os.path.dirname(__file__)), "edges", room, "templates")
            for room in ("control_room", "counter", "portal")
        ],
        "OPTIONS": {"context_processors": ["django.template.context_processors.i18n"]},
    }
]
# A rehearsal's pages are plain HTTP on localhost; everywhere else the cookies travel by TLS alone.
_REHEARSAL = (read_json(HOME.path / "web" / "web.json") or {}).get("rehearsal") is True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not _REHEARSAL
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_AGE = 12 * 3600
CSRF_FAILURE_VIEW = "bahal.edges.gate.forged"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]

USE_TZ = True
TIME_ZONE = "Asia/Kolkata"  # what people read; stored times are UTC
USE_I18N = True
LANGUAGE_CODE = language_of()
LANGUAGES = [("hi", "हिन्दी"), ("en", "English")]
LOCALE_PATHS = [os.path.join(os.path.dirname(os.path.dirname(__file__)), "locale")]
FORMAT_MODULE_PATH = ["bahal.settings.formats"]

LOGGING_CONFIG = None  # structlog is set up by the process that starts, not by importing settings
