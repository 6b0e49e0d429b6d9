"""The commands `forecast` (what a gauge may do next) and `forecast-skill` (how good such forecasts are).

`register` mounts them on the front door's app. They read the database, the configuration and files of
histories; the second writes a report where it is told to, and nothing else is changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from alerts.forecast import store, words
from alerts.forecast.drawing import draw
from alerts.forecast.lattice import SPAN
from alerts.forecast.model import HIGH, LOW, MODEL, NOTICE, VERSION
from alerts.forecast.outlook import Outlook, outlook
from alerts.forecast.report import Report, gauges, judged, markdown
from alerts.forecast.skill import Series
from alerts.headline import number
from alerts.sight import UNKNOWN_AFTER_S
from alerts.wire import stamp
from ingest.catalog import Catalogue, Datastream, Station, load_catalogue
from ingest.cli_support import config_folder, database, printable, problems_reported, settings_of
from ingest.clock import MICROS_PER_SECOND, system_clock
from ingest.model import Nature
from ingest.store import read
from ingest.store.connection import Connection
from ingest.store.read import Observed
from ingest.yaml_lines import ConfigError, Problem, nearest

MOST_ROWS = 5_000  # of a day: one every 20 seconds


def register(app: typer.Typer) -> None:
    """Mount both commands."""
    app.command("forecast")(forecast)
    app.command("forecast-skill")(forecast_skill)


def forecast(
    context: typer.Context,
    station: Annotated[str, typer.Argument(help="A station, or one of its datastreams: STATION/NAME.")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """What a gauge may do in the next hours, from its newest rows, and how such forecasts have fared.

    Example: huewatch forecast HUE-WL-KIMLONG
    """
    with problems_reported():
        settings = settings_of(context)
        catalogue = load_catalogue(config_folder(settings) / "catalog", settings.nature)
        place, datastream = _gauge(catalogue, station)
        nature = settings.nature or Nature.ACTUAL
        with database(settings) as connection:
            stored = store.number_of(connection, f"{place.id}/{datastream.name}", nature)
            now, blind = _now(connection)
            rows = (
                []
                if stored is None
                else read.observations(connection, stored, now - SPAN, now + 1, MOST_ROWS)
            )
            found = outlook(place, datastream, rows, now, blind=blind)
            fared = [] if stored is None else store.skill(connection, stored)
    if as_json:
        typer.echo(json.dumps(_json(place, datastream, found, fared), ensure_ascii=False))
    else:
        _show(place, datastream, rows, found, fared)


def forecast_skill(
    context: typer.Context,
    histories: Annotated[
        list[Path],
        typer.Argument(
            exists=True, dir_okay=False, help="Histories (CSV), each with its YAML (config/README.md)."
        ),
    ],
    show: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="Histories to be drawn and not scored."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(file_okay=False, help="Where skill.md, skill.json and the drawings go.")
    ] = None,
) -> None:
    """Score the forecasts on histories of floods, against persistence, a straight line and a damped trend.

    Parameters are chosen on the other rivers given. Example: huewatch forecast-skill dead-run.csv agly.csv
    """
    with problems_reported():
        folder = config_folder(settings_of(context))
        scored, shown = gauges(histories, folder), gauges(show or (), folder)
    with Progress(transient=True) as progress:
        task = progress.add_task("scoring", total=len(scored) + 1)
        report = judged(scored, lambda what: progress.update(task, advance=1, description=what))
        typer.echo(markdown(report))
        if out is not None:
            _write(out, report, [*scored, *shown], progress)


def _write(out: Path, report: Report, every: list[Series], progress: Progress) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "skill.md").write_text(markdown(report), encoding="utf-8")
    (out / "skill.json").write_text(
        json.dumps(report.as_json(), indent=1, ensure_ascii=False), encoding="utf-8"
    )
    task = progress.add_task("drawing", total=len(every))
    for series in every:
        for name, picture in draw(series):
            (out / f"{name}.svg").write_text(picture, encoding="utf-8")
        progress.update(task, advance=1, description=f"drawing {series.key}")


def _gauge(catalogue: Catalogue, wanted: str) -> tuple[Station, Datastream]:
    """The datastream of that key, or the first of a station that has levels; `ConfigError` for none."""
    known: list[str] = []
    for key, station, datastream in catalogue.datastreams():
        known += [key, station.id]
        if key == wanted or (station.id == wanted and datastream.levels):
            return station, datastream
    message = f"There is no gauge with levels called {wanted!r}."
    remedy = nearest(wanted, known) or "Name a station of the catalogue whose datastream has levels."
    raise ConfigError([Problem("STATION", None, message, remedy)])


def _now(connection: Connection) -> tuple[int, bool]:
    """The time that the writer lives by, and whether readings may be missing at it."""
    writers = read.writer_state(connection)
    if not writers:
        return system_clock().now(), True
    newest = max(writers, key=lambda one: one.now_at or 0)
    age = newest.age or 0
    blind = newest.sighted_since is None or age > UNKNOWN_AFTER_S * MICROS_PER_SECOND
    return (newest.now_at or system_clock().now()) + age, blind


def _show(
    place: Station, datastream: Datastream, rows: list[Observed], found: Outlook, fared: list[store.Skill]
) -> None:
    console = Console()
    typer.secho(f"{place.name.vi} ({place.id}/{datastream.name})", bold=True)
    _both(words.newest_words(found))
    if found.withheld is not None:
        _both(words.withheld_words(found))
    elif found.forecast is not None and found.passing is not None and found.mark is not None:
        console.print(_horizons(found))
        for line in words.chart(found.forecast, rows, datastream.levels):
            typer.echo(line)
        _both(words.passing_words(found.forecast, found.mark, found.passing))
    if fared:
        console.print(_fared(fared))
    _both(words.notice_words())


def _both(said: tuple[str, str]) -> None:
    typer.echo(said[0])
    typer.secho(said[1], dim=True)


def _horizons(found: Outlook) -> Table:
    made, ahead, mark = found.forecast, found.passing, found.mark
    assert made is not None
    assert ahead is not None
    assert mark is not None
    table = Table("sau / in", "dự báo / expected", "80 %", f"≥ {printable(mark.name)}")
    for place, hours in enumerate(made.hours):
        low, middle, high = (
            number(float(value), 2)[0]
            for value in (
                made.quantile[0, place, LOW],
                made.expected[0, place],
                made.quantile[0, place, HIGH],
            )
        )
        table.add_row(
            f"{hours:g} h", f"{middle} m", f"{low} - {high} m", words.chance(ahead.within[0, place])
        )
    return table


def _fared(fared: list[store.Skill]) -> Table:
    table = Table("h", "n", "sai số / error", "so với giữ nguyên / over persistence", "trong 80 % / covered")
    for one in fared:
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        error = f"{number(one.error, 2)[0]} m"
        table.add_row(f"{one.hours:g}", str(one.scored), error, ratio, f"{100 * one.coverage:.0f} %")
    return table


def _json(
    place: Station, datastream: Datastream, found: Outlook, fared: list[store.Skill]
) -> Mapping[str, Any]:
    newest, ahead = found.newest, found.passing
    return {
        "datastream": f"{place.id}/{datastream.name}",
        "nature": place.nature.value,
        "model": f"{MODEL} {VERSION}",
        "notice": {"vi": NOTICE[0], "en": NOTICE[1]},
        "now": stamp(found.now),
        "newest": None if newest is None else {"time": stamp(newest.time), "value": newest.value},
        "age_s": None if newest is None else max(0, found.now - newest.time) // MICROS_PER_SECOND,
        "withheld": found.withheld,
        "horizons": _horizons_json(found),
        "next_level": None if found.mark is None else {"name": found.mark.name, "value": found.mark.value},
        "hours_to_next": None
        if ahead is None
        else [None if hours != hours else round(float(hours), 2) for hours in ahead.hours[0]],
        "fared": [
            {
                "hours": one.hours,
                "scored": one.scored,
                "coverage": one.coverage,
                "error": one.error,
                "ratio": one.ratio,
            }
            for one in fared
        ],
    }


def _horizons_json(found: Outlook) -> list[Mapping[str, float]]:
    made, ahead = found.forecast, found.passing
    if made is None or ahead is None:
        return []
    return [
        {
            "hours": hours,
            "expected": round(float(made.expected[0, row]), 3),
            "low": round(float(made.quantile[0, row, LOW]), 3),
            "high": round(float(made.quantile[0, row, HIGH]), 3),
            "chance": round(float(ahead.within[0, row]), 3),
        }
        for row, hours in enumerate(made.hours)
    ]
