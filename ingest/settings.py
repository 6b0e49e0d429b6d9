"""What the services are told from outside: defaults < TOML file < environment < flags.

Promises that an unknown name, in the file or among the HUEWATCH_ variables, is refused with the nearest
known one, that each value's origin can be shown, and that secrets are masked when they are. `Settings`
itself reads nothing: `load_settings` does, once, when a command starts.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from ingest.config_model import Duration, Identifier
from ingest.model import Nature
from ingest.yaml_lines import ConfigError, Problem, nearest

PREFIX = "HUEWATCH_"
FILE_VARIABLE = "HUEWATCH_SETTINGS"
TEST_PREFIX = "HUEWATCH_TEST_"  # the test suite's own switches; services pass over them
ENVIRONMENT = "environment"
MASK = "********"


class Settings(BaseModel):
    """Every setting; `config/README.md` explains each. Environment names are upper case with HUEWATCH_."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    database_url: SecretStr | None = Field(None, description="PostgreSQL, as a URL or key=value words")
    broker_host: str | None = Field(None, description="MQTT broker's host name")
    broker_port: int = Field(1883, ge=1, le=65_535, description="MQTT broker's port; 8883 with TLS")
    broker_username: str | None = Field(None, description="User name at the broker")
    broker_password: SecretStr | None = Field(None, description="Password at the broker")
    broker_ca_file: Path | None = Field(
        None, description="CA that signed the broker's certificate; turns TLS on"
    )
    broker_cert_file: Path | None = Field(None, description="Our own client certificate (PEM)")
    broker_key_file: Path | None = Field(None, description="Our own client key (PEM)")
    partition: Identifier = Field("hue", description="Slice of gateways this process holds; one writer each")
    client_id: Identifier = Field(
        default_factory=lambda data: f"huewatch-ingest-{data.get('partition', 'hue')}",
        description="Fixed MQTT client id of ingest, which names its session at the broker",
    )
    # Below 65,535, which mosquitto 2.0 takes as unset and answers with 20; 8,000 fills a batch of 4,000.
    receive_maximum: int = Field(8_000, ge=2, lt=65_535, description="MQTT messages in flight to us")
    keepalive: int = Field(30, ge=5, le=65_535, description="MQTT keepalive, seconds")
    config_dir: Path | None = Field(None, description="Folder of catalogue and rules; none: the shipped one")
    nature: Nature | None = Field(
        None, description="What all is for; Exercise and Test override the stations'"
    )
    embedded: Path | None = Field(None, description="Folder of a database and broker of our own; no city's")
    feed_host: str = Field("127.0.0.1", description="Address on which the feed listens")
    feed_port: int = Field(8080, ge=1, le=65_535, description="Port of the feed: page, JSON, events")
    feed_public: str | None = Field(
        None,
        pattern=r"^(open_data|cap)(,(open_data|cap))*$",
        description="What of the feed anybody may read: open_data, cap",
    )
    feed_https: bool = Field(False, description="The feed is reached by TLS only: its cookies say so")
    feed_proxies: str = Field(
        "127.0.0.1,::1", description="Proxies whose word on a request's address and scheme is believed"
    )
    feed_token: SecretStr | None = Field(None, description="Token by which `publish-test` reads the feed")
    map_tiles: str | None = Field(
        None,
        pattern=r"^https?://[\w.:-]+/[^\s{}]*\{z\}[^\s{}]*\{x\}[^\s{}]*\{y\}[^\s{}]*$",
        description="Pictures under the console's map: https://HOST/{z}/{x}/{y}.png",
    )
    map_credit: str | None = Field(
        None, max_length=120, description="Whom the console's map thanks for its pictures"
    )
    metrics_host: str = Field("127.0.0.1", description="Address of metrics and health")
    metrics_port: int = Field(9108, ge=1, le=65_535, description="Port of metrics and health of `run`")
    feed_metrics_port: int = Field(9109, ge=1, le=65_535, description="Port of metrics and health of `feed`")
    # What keeps notices back; the reasons for the numbers stand at `alerts.suppression.Limits`.
    flap_openings: int = Field(3, ge=1, description="More openings of one alert than this flap")
    flap_window: Duration = Field(3_600.0, description="The time in which openings are counted")
    storm_first: int = Field(5, ge=1, description="Openings at once that are told one by one")
    storm_window: Duration = Field(120.0, description="What is at once")
    storm_digest: Duration = Field(2.0, description="How long the rest is collected for one notice")
    # The reasons for the numbers stand at `alerts.watching.Watch`.
    watch: bool = Field(True, description="Call whoever is on duty when nobody watches what is open")
    watch_grace: Duration = Field(120.0, ge=60, description="Without a console for so long nobody watches")
    watch_idle: Duration = Field(1_800.0, ge=60, description="So long untouched, no console has anybody")
    publisher: str | None = Field(None, max_length=200, description="Who publishes the open data")
    licence: str | None = Field(
        None, max_length=200, description="Its licence, as an SPDX name or an address"
    )
    accept_data_loss: bool = Field(False, description="Be ready although the database may lose commits")
    # A gateway's store-and-forward after a long outage, well within retention.
    max_age_days: float = Field(
        45.0, gt=0, le=36_500, description="Readings older than this are quarantined, days"
    )
    # A gateway's clock off by 5 minutes is common; more says that its time cannot be believed.
    max_skew: Duration = Field(300.0, le=86_400, description="Readings further in the future are quarantined")

    # A gateway's store-and-forward after a cut; what differs from what was told is said so much later.
    allowed_lateness: Duration = Field(
        3_600.0, ge=60, le=86_400, description="After so much newer time a reading is final for the record"
    )

    @field_validator("database_url")
    @classmethod
    def _database_is_named(cls, value: SecretStr | None) -> SecretStr | None:
        try:
            conninfo_to_dict("" if value is None else value.get_secret_value())
        except psycopg.ProgrammingError:  # its text repeats a part of the secret
            raise ValueError("is neither postgresql://USER:PASSWORD@HOST/NAME nor key=value words") from None
        return value

    @field_validator("broker_key_file")
    @classmethod
    def _key_belongs_to_a_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("broker_cert_file") is None:
            raise ValueError("would not be used without broker_cert_file")
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _means_what_it_says(cls, value: Any, info: ValidationInfo) -> Any:
        """Neither TOML's `true` as the number 1, nor an empty variable as the present folder."""
        if value == "":
            raise ValueError("is empty; leave it out instead")
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError("is true or false, where another value is wanted")
        return value


SECRETS = frozenset({"database_url", "broker_password", "feed_token"})


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings in force, and for each that is not a default where it came from."""

    settings: Settings
    origins: Mapping[str, str]


def load_settings(
    flags: Mapping[str, Any] | None = None,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """Merge file, environment and flags (None: not given); `ConfigError` with every problem found."""
    environ = os.environ if environ is None else environ
    file = file or (Path(environ[FILE_VARIABLE]) if environ.get(FILE_VARIABLE) else None)
    problems: list[Problem] = []
    merged: dict[str, tuple[Any, str]] = {}
    if file is not None:
        merged |= _from_file(file, problems)
    merged |= _from_environment(environ, problems)
    merged |= {name: (v, _flag(name)) for name, v in (flags or {}).items() if v is not None}
    origins = {name: origin for name, (_, origin) in merged.items()}
    try:
        settings = Settings(**{name: value for name, (value, _) in merged.items()})
    except ValidationError as error:
        problems += _invalid(error, origins)
    if problems:
        raise ConfigError(problems)
    return Loaded(settings, origins)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _from_file(file: Path, problems: list[Problem]) -> dict[str, tuple[Any, str]]:
    try:
        text = file.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except (OSError, ValueError) as error:
        problems.append(Problem(str(file), None, f"Cannot be read: {error}.", "Name a readable TOML file."))
        return {}
    for name in data.keys() - Settings.model_fields.keys():
        remedy = nearest(name, Settings.model_fields) or "Remove it; config/README.md lists every setting."
        problems.append(Problem(str(file), _line(text, name), f"Setting {name!r} is not known.", remedy))
    return {
        name: (value, f"{file}:{_line(text, name)}")
        for name, value in data.items()
        if name in Settings.model_fields
    }


def _line(text: str, name: str) -> int | None:
    key = re.compile(rf"""\s*\[?\s*["']?{re.escape(name)}["']?\s*[=.\]]""")
    return next((n for n, line in enumerate(text.splitlines(), start=1) if key.match(line)), None)


def _from_environment(environ: Mapping[str, str], problems: list[Problem]) -> dict[str, tuple[Any, str]]:
    found: dict[str, tuple[Any, str]] = {}
    known = {PREFIX + name.upper(): name for name in Settings.model_fields}
    files = {PREFIX + name.upper() + "_FILE": name for name in SECRETS}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable == FILE_VARIABLE or variable.startswith(TEST_PREFIX):
            continue
        if variable in known:
            found[known[variable]] = (environ[variable], variable)
        elif variable in files:
            _from_secret_file(variable, files[variable], environ, found, problems)
        else:
            remedy = nearest(variable, [*known, *files, FILE_VARIABLE]) or "Unset it."
            problems.append(Problem(ENVIRONMENT, None, f"{variable} is not known.", remedy))
    return found


def _from_secret_file(
    variable: str,
    name: str,
    environ: Mapping[str, str],
    found: dict[str, tuple[Any, str]],
    problems: list[Problem],
) -> None:
    """The secret in the file that `<NAME>_FILE` names, as container secrets are mounted."""
    plain = variable.removesuffix("_FILE")
    if plain in environ:
        message = f"{plain} and {variable} are both set."
        problems.append(Problem(ENVIRONMENT, None, message, "Unset one of the two."))
        return
    try:
        secret = Path(environ[variable]).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        message = f"{variable} cannot be read: {error}."
        problems.append(Problem(ENVIRONMENT, None, message, "Name a readable file."))
        return
    found[name] = (secret, variable)


def _invalid(error: ValidationError, origins: Mapping[str, str]) -> Iterator[Problem]:
    for fault in error.errors(include_url=False, include_input=False):
        if fault["type"] == "default_factory_not_called":  # follows from another fault, which is reported
            continue
        name = str(fault["loc"][0])
        message = f"{name}: {fault['msg'].removeprefix('Value error, ')}."
        remedy = "Correct the value; config/README.md lists what is allowed."
        yield Problem(origins.get(name, "default"), None, message, remedy)


def in_force(loaded: Loaded) -> Iterator[tuple[str, str, str]]:
    """(name, value with secrets masked, origin) of every setting, for `huewatch check`."""
    for name in Settings.model_fields:
        value = getattr(loaded.settings, name)
        if isinstance(value, SecretStr):
            value = mask(value.get_secret_value())
        yield name, "" if value is None else str(value), loaded.origins.get(name, "default")


def mask(secret: str) -> str:
    """A secret hidden; of a database URL without query all but the password may be seen."""
    try:
        parts = urlsplit(secret)
        port = parts.port
    except ValueError:
        return MASK
    if parts.scheme not in ("postgresql", "postgres") or parts.query or not parts.hostname:
        return MASK
    user = f"{parts.username}:{MASK}@" if parts.username else ""
    return f"{parts.scheme}://{user}{parts.hostname}{'' if port is None else f':{port}'}{parts.path}"


def require_services(settings: Settings) -> None:
    """Refuse to serve without database and broker, and to mix a city's with embedded ones (`ConfigError`)."""
    wanted = {"database_url": settings.database_url, "broker_host": settings.broker_host}
    given = [PREFIX + name.upper() for name, value in wanted.items() if value is not None]
    missing = [PREFIX + name.upper() for name, value in wanted.items() if value is None]
    if settings.embedded is None and missing:
        message = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set."
        remedy = (
            "Set HUEWATCH_DATABASE_URL and HUEWATCH_BROKER_HOST, or give `--embedded DIR` for a database "
            "and a broker of our own in a kept folder."
        )
        raise ConfigError([Problem(ENVIRONMENT, None, message, remedy)])
    if settings.embedded is not None and given:
        message = f"`--embedded` supplies database and broker together, but {' and '.join(given)} is set too."
        remedy = "Unset HUEWATCH_DATABASE_URL and HUEWATCH_BROKER_HOST, or leave out `--embedded`."
        raise ConfigError([Problem(ENVIRONMENT, None, message, remedy)])
