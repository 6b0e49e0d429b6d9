"""One reading by hand: sent as the station's own gateway would send it, and followed to the page.

Promises: `refuse_invented` and `refuse_unseen` say no before anything is published: to a value made up for
people who act on it, and to a service that could not show it. The reading carries the nature of its station,
and each step says how long it took. Reads neither database nor quarantine. Called by the command line.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from ingest.catalog import Catalogue, Datastream, Ranging, Station
from ingest.clock import Clock, to_datetime
from ingest.model import Nature
from simulators.broker import Address, Gateway
from simulators.feed_client import FeedClient, FeedError
from simulators.gateways import Message, Sample, Topics, distance_mm, encode
from simulators.scenario import SeriesSpec
from simulators.screen import LOCAL

Device = Literal["json", "em500-udl", "ldds75"]
T = TypeVar("T")

CONFIRM_SECONDS = 10.0
SEEN_SECONDS = 15.0  # a commit takes milliseconds; the rest is for a loaded machine
POLL_SECONDS = 0.05
DEV_EUI_DIGITS = 16  # a LoRaWAN device's identity
FINEST = 1e-6  # a person's value is sent as it was written
LARGEST = 1e9  # in any unit
SILENT = ("no_data", "never")
QUALITIES = {1: "pass", 2: "not evaluated", 3: "suspect", 4: "fail", 9: "missing"}


class Refused(Exception):
    """The reading was not published; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One reading to be: `value` in the datastream's unit, `time` in microseconds."""

    station: Station
    datastream: Datastream
    value: float
    time: int

    @property
    def key(self) -> str:
        """The datastream's key in the catalogue and at the feed."""
        return f"{self.station.id}/{self.datastream.name}"


@dataclass(frozen=True, slots=True)
class Step:
    """What was found, and how many seconds after the beginning; a step that is not ok is the last."""

    ok: bool
    seconds: float
    text: str


def choose(catalogue: Catalogue, station_id: str, name: str | None) -> tuple[Station, Datastream]:
    """The station's datastream of that name, or the only one that a gateway of ours can send; `Refused` names
    the choices."""
    try:
        station = catalogue.station(station_id)
    except KeyError:
        raise Refused(f"the catalogue has no station {station_id}: see `huewatch check`") from None
    names = [datastream.name for datastream in station.datastreams]
    if name is None and len(names) > 1:
        ours = [datastream for datastream in station.datastreams if _can_send(datastream)]
        if len(ours) == 1:
            return station, ours[0]
        raise Refused(f"{station_id} has several datastreams; give --datastream {' or '.join(names)}")
    for datastream in station.datastreams:
        if name in (None, datastream.name):
            return station, datastream
    raise Refused(f"{station_id} has no datastream {name}; it has {', '.join(names) or 'none'}")


def message_of(trial: Trial, catalogue: Catalogue) -> tuple[Message, str]:
    """The gateway's message, and in words what its sensor says; `Refused` when no sensor could say it."""
    if not (math.isfinite(trial.value) and abs(trial.value) <= LARGEST):
        raise Refused(f"{trial.value} is not a number that a sensor can send")
    stream = _as_installed(trial)
    device, ranging = device_of(stream), stream.ranging
    reading = trial.value if ranging is None else ranging.reading_of(trial.value)
    if ranging is not None and not ranging.blanking <= reading < ranging.max_range:
        raise Refused(f"this sensor sees levels {_reach(ranging)}")
    sample = Sample(
        SeriesSpec(datastream=trial.key, curve="by hand", resolution=FINEST, device=device),
        _speaking_its_unit(stream) if device == "json" else stream,
        trial.time,
        reading if device == "json" else trial.value,
    )
    try:
        (message,) = encode([sample], Topics(catalogue), 1, trial.station.nature.value)
    except KeyError as error:
        raise Refused(f"the catalogue has no route for {error} topics: see its routes.yaml") from None
    said = "" if ranging is None else f"a {ranging.measures} of {reading:g} m"
    if device != "json":
        said = f"a distance of {distance_mm(sample)} mm by {device.upper()}"
    return message, said


def _as_installed(trial: Trial) -> Datastream:
    """The datastream as the one sensor makes it that stands there at the reading's time."""
    installed = trial.datastream.installed(trial.time)
    if installed is None:
        raise Refused(f"{trial.key} has no sensor at that time: see its `installations` in the catalogue")
    return trial.datastream.model_copy(
        update={"source": installed.source, "ranging": installed.ranging, "installations": ()}
    )


def _reach(ranging: Ranging) -> str:
    """From where to where it can tell a level."""
    if ranging.measures == "depth":
        return f"from {ranging.zero_elevation:g} m and below {ranging.highest:g} m"
    lowest = ranging.zero_elevation - ranging.max_range
    return f"above {lowest:g} m and up to {ranging.highest:g} m"


def device_of(datastream: Datastream) -> Device:
    """How the gateway speaks: Huewatch JSON, or ChirpStack for one of the devices that we can imitate."""
    source = datastream.source
    is_dev_eui = len(source.device) == DEV_EUI_DIGITS and set(source.device.lower()) <= set(
        "0123456789abcdef"
    )
    if not is_dev_eui:
        return "json"
    ranging = datastream.ranging
    if ranging is None or ranging.measures != "distance" or source.channel != "distance":
        raise Refused(
            f"{source.device} is a LoRaWAN device whose channel {source.channel!r} no simulated device has "
            "(EM500-UDL and LDDS75 send 'distance')"
        )
    return "ldds75" if "Invalid Reading" in source.sentinels else "em500-udl"


def _can_send(datastream: Datastream) -> bool:
    """Whether a simulated device has its channel; of a LoRaWAN device only the distance."""
    try:
        device_of(datastream)
    except Refused:
        return False
    return True


def _speaking_its_unit(datastream: Datastream) -> Datastream:
    """The same datastream whose gateway writes the unit out: ours, or metres for a distance."""
    unit = datastream.unit if datastream.ranging is None else "m"
    return datastream.model_copy(update={"source": datastream.source.model_copy(update={"unit": unit})})


def refuse_invented(nature: Nature, really_measured: bool) -> None:
    """Keep invented values out of a city's own series: whoever sends one as Actual says that it is."""
    if nature is Nature.ACTUAL and not really_measured:
        raise Refused(
            "this station's readings are Actual: people act on them, and one that is stored cannot be taken "
            "back. For a trial run the service as an exercise and give --nature Exercise here too. If the "
            "value was measured at the station just now, say so: --really-measured"
        )


def embedded_account(folder: Path) -> Address:
    """The simulator's account at the broker of `huewatch --embedded FOLDER run`, as its files say."""
    try:
        port = int((folder / "mosquitto" / "port").read_text())
        accounts: dict[str, str] = json.loads((folder / "mosquitto" / "accounts.json").read_text())
        return Address("127.0.0.1", port, "simulator", accounts["simulator"])
    except (OSError, ValueError, KeyError) as error:
        remedy = f"start `huewatch --embedded {folder} run` first; it owns the broker"
        raise Refused(f"no broker of ours in {folder} ({error}): {remedy}") from None


def steps(trial: Trial, message: Message, gateway: Gateway, feed: FeedClient, clock: Clock) -> Iterator[Step]:
    """Publish and follow; every step as it is reached, in order."""
    begun = clock.monotonic()

    def step(ok: bool, text: str) -> Step:
        return Step(ok, clock.monotonic() - begun, text)

    try:
        gateway.publish(message.topic, message.payload)
        gateway.settle(CONFIRM_SECONDS)
        if gateway.unheard:
            yield step(
                False, "the broker threw it away: nobody subscribes to it; does `run` use this broker?"
            )
            return
        yield step(True, f"published on {message.topic}: the broker has it (PUBACK)")
        row = _awaited(lambda: feed.observation(trial.key, trial.time), clock)
        if row is None:
            yield step(False, f"the feed does not show it after {SEEN_SECONDS:.0f} s")
            return
        quality = QUALITIES.get(row["quality"], str(row["quality"]))
        yield step(True, f"stored: {row['value']:g} {trial.datastream.unit}, quality: {quality}")
        yield step(True, f"on the page: {page_words(trial, feed)}")
        for alert in feed.open_alerts():
            if alert["newest"]["target"] == trial.key:
                said = alert["newest"]["headline"]
                yield step(True, f"open alert: {said['vi']} / {said['en']}")
    except (FeedError, LookupError, TypeError) as error:
        yield step(False, f"the feed does not answer as it should: {error}")


def refuse_unseen(trial: Trial, feed: FeedClient) -> None:
    """`Refused` where nobody would see the reading arrive, or it would be refused."""
    try:
        sight, station = feed.sight(), _station_at(trial, feed)
        state, reason = sight["state"], sight["reason"]
        nature = None if station is None else station["nature"]
    except (FeedError, LookupError, TypeError) as error:
        remedy = "start `feed`, name another by --feed, or set HUEWATCH_FEED_TOKEN to a token of its own"
        raise Refused(f"no feed to follow it on ({error}): {remedy}") from None
    own = trial.station.nature.value
    if station is None:
        raise Refused(f"{feed.url} does not know {trial.key}: `huewatch reload` takes up this catalogue")
    if nature != own:
        raise Refused(
            f"{feed.url} shows {trial.station.id} as {nature}, but this reading would be marked {own} and be "
            f"quarantined: give --nature {nature}"
        )
    if state == "unknown":
        raise Refused(f"{feed.url} sees nothing ({reason}): is `run` running?")


def page_words(trial: Trial, feed: FeedClient) -> str:
    """What the page says of the station now."""
    station = _station_at(trial, feed)
    if station is None:
        return "the station is not there any more"
    stream = next(each for each in station["datastreams"] if each["key"] == trial.key)
    newest, shown = stream["newest"], stream["newest_usable"]
    if shown is None:
        return "no usable value yet"
    words = [f"{shown['value']:g} {trial.datastream.unit}"]
    if newest["quality"] not in (1, 2, 3):
        words.append("the last usable value; this one failed its quality test")
    if not stream["comparable"]:
        words.append("not referenced: the catalogue has no zero that it could be compared with BĐ by")
    words += [*_level_words(stream["level"], trial.datastream.unit), f"signal {stream['freshness']}"]
    silent = [each["name"] for each in station["datastreams"] if each["freshness"] in SILENT]
    because = f" (no data: {', '.join(silent)})" if silent else ""
    return f"{', '.join(words)}; the station's state: {station['state']}{because}"


def _level_words(level: Mapping[str, Any] | None, unit: str) -> Iterator[str]:
    if level is None:
        return
    if level["rank"]:
        yield f"above {level['name']} by {level['above']:g} {unit}"
    if level["next_name"] is not None:
        yield f"{level['to_next']:g} {unit} below {level['next_name']}"


def _station_at(trial: Trial, feed: FeedClient) -> Mapping[str, Any] | None:
    station = feed.station(trial.station.id)
    known = [] if station is None else [stream["key"] for stream in station["datastreams"]]
    return station if trial.key in known else None


def _awaited(look: Callable[[], T | None], clock: Clock) -> T | None:
    """What `look` finds within `SEEN_SECONDS`."""
    pause = threading.Event()  # nobody sets it
    deadline = clock.monotonic() + SEEN_SECONDS
    while (found := look()) is None and clock.monotonic() < deadline:
        pause.wait(POLL_SECONDS)
    return found


def title(trial: Trial, said: str) -> str:
    """What is about to be sent, in one line."""
    name = trial.station.name
    both = name.vi if name.vi == name.en else f"{name.vi} ({name.en})"
    at = f"{to_datetime(trial.time).astimezone(LOCAL):%H:%M:%S}"
    sent = f", sent as {said}" if said else ""
    value = f"{trial.value:g} {trial.datastream.unit}"
    return f"{both}, {trial.key}: {value} at {at} (UTC+7), {trial.station.nature.value}{sent}"
