"""Database and broker for a command: the city's, as the settings name them, or our own in a kept folder.

`--embedded DIR run` owns the servers of the folder: it starts and stops them. Other commands only join them.
Nothing here falls back: a missing name is an error, never a throw-away store.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ingest.embedded import EmbeddedBroker, EmbeddedPostgres
from ingest.embedded_server import EmbeddedError
from ingest.mqtt import BrokerSettings, tls_context
from ingest.settings import Settings, require_services
from ingest.store.connection import connect
from ingest.store.errors import StoreError
from ingest.yaml_lines import ConfigError, Problem


@dataclass(frozen=True, slots=True)
class Services:
    """Where the data go and where the messages come from."""

    database_url: str
    broker: BrokerSettings


@contextmanager
def services_of(settings: Settings, account: str, client_id: str, *, own: bool) -> Iterator[Services]:
    """Both services; `own` starts embedded ones. `account` is our user at an embedded broker.

    Raises `ConfigError` when the settings name none, or when the embedded ones cannot start or be joined.
    """
    require_services(settings)
    if settings.embedded is None:
        assert settings.database_url is not None  # require_services has looked
        yield Services(settings.database_url.get_secret_value(), _broker(settings, client_id))
        return
    with ExitStack() as stack:
        try:
            postgres = EmbeddedPostgres(settings.embedded / "postgres")
            broker = EmbeddedBroker(settings.embedded / "mosquitto")
            if own:
                stack.enter_context(postgres)
                stack.enter_context(broker)
            else:
                must_answer(postgres, settings.embedded)
            services = Services(postgres.url, _embedded_broker(settings, broker, account, client_id))
        except (EmbeddedError, OSError) as error:
            problem = Problem("--embedded", None, f"{error}.", "Mend it, or name services of your own.")
            raise ConfigError([problem]) from None
        yield services


def _broker(settings: Settings, client_id: str) -> BrokerSettings:
    assert settings.broker_host is not None  # require_services has looked
    password = settings.broker_password
    tls = None
    if settings.broker_ca_file is not None or settings.broker_cert_file is not None:
        tls = _tls(settings)
    return BrokerSettings(
        settings.broker_host,
        settings.broker_port,
        client_id,
        settings.broker_username,
        None if password is None else password.get_secret_value(),
        tls,
        settings.keepalive,
        settings.receive_maximum,
    )


def _tls(settings: Settings) -> ssl.SSLContext:
    names = ("broker_ca_file", "broker_cert_file", "broker_key_file")
    given = {name: getattr(settings, name) for name in names}
    try:
        return tls_context(*given.values())
    except OSError as error:  # ssl's own are among them; neither names the file
        files = ", ".join(f"{name} = {path}" for name, path in given.items() if path is not None)
        message = f"TLS cannot be set up from {files}: {error.strerror or error}."
        remedy = "Name readable PEM files: the CA, and our own certificate with its key."
        raise ConfigError([Problem("broker", None, message, remedy)]) from None


def _embedded_broker(
    settings: Settings, broker: EmbeddedBroker, account: str, client_id: str
) -> BrokerSettings:
    return BrokerSettings(
        "127.0.0.1",
        broker.port,
        client_id,
        account,
        broker.accounts[account],
        keepalive=settings.keepalive,
        receive_maximum=settings.receive_maximum,
    )


def must_answer(postgres: EmbeddedPostgres, folder: Path) -> None:
    """`ConfigError` unless the database of `--embedded FOLDER` runs."""
    try:
        connect(postgres.url, application_name="huewatch-join").close()
    except (StoreError, OSError) as error:
        message = f"{folder} has no running database to join: {error}."
        remedy = f"Start `huewatch --embedded {folder} run` first; it owns the servers."
        raise ConfigError([Problem("--embedded", None, message, remedy)]) from None
