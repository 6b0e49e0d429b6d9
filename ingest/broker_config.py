"""From production's `mosquitto.conf` to the configuration of a broker of our own.

`derive` replaces the listeners, certificates, paths and user; every other line stays, so demo and tests run
under production's limits and rules. Pure text in, text out; `ingest.embedded` writes the files. It does not
know what the options mean.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath

SERVICES_PORT = 1884  # production's listener for accounts with passwords
GATEWAYS_PORT = 8883  # production's listener for gateways with certificates
PATHS = frozenset(
    {"persistence_location", "password_file", "acl_file", "cafile", "crlfile", "certfile", "keyfile"}
)

# What an exercise adds to production's rules: a simulator that speaks for every gateway and drives the time,
# an ingest that hears it, and whoever runs the exercise, who alone may mark the broker as one for exercises.
# Nothing in production may write these topics.
EXERCISE_RULES = """
user simulator
topic write hue/v1/#
topic write application/#
topic write huewatch/tick
topic read huewatch/tick/committed
topic read hue/exercise

user exercise-admin
topic readwrite hue/exercise

user ingest
topic read huewatch/tick
topic write huewatch/tick/committed
"""


@dataclass(frozen=True, slots=True)
class Place:
    """What differs from production. All files lie flat in `folder`; without `gateways` no certificates."""

    folder: Path
    user: str
    services: int
    gateways: int | None = None


def production(name: str) -> str:
    """The text of one of production's files: `mosquitto.conf`, `services.acl` or `gateways.acl`."""
    return files("huewatch_config").joinpath("mosquitto", name).read_text(encoding="utf-8")


def derive(text: str, place: Place) -> str:
    """Production's `mosquitto.conf` for `place`; listeners on loopback, the gateways' only if asked for."""
    ports = {SERVICES_PORT: place.services, GATEWAYS_PORT: place.gateways}
    lines: list[str] = []
    port: int | None = place.services
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == "listener":
            port = ports[int(value)]
            line = f"listener {port} 127.0.0.1"
        if port is not None:
            lines.append(_placed(key, value, place) or line)
    return "\n".join(lines) + "\n"


def _placed(key: str, value: str, place: Place) -> str | None:
    if key == "user":
        return f"user {place.user}"
    if key == "persistence_location":
        return f"persistence_location {place.folder}/"
    if key in PATHS:
        return f"{key} {place.folder / PurePosixPath(value).name}"
    return None


def password_file(accounts: Mapping[str, str], salt: bytes) -> str:
    """Lines of mosquitto's password file for user -> password: PBKDF2-HMAC-SHA512, `$7$` of mosquitto 2.0."""
    return "".join(f"{user}:{_hashed(password, salt)}\n" for user, password in accounts.items())


def _hashed(password: str, salt: bytes) -> str:
    iterations = 101  # mosquitto_passwd's own number; these passwords are random and long
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations)
    return f"$7${iterations}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"
