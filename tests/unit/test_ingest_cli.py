"""The commands of ingest, as a person types them: what they print, write and refuse."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from ingest.catalog import load_catalogue
from ingest.cli import imbalances, register
from ingest.cli_support import printable
from ingest.settings import load_settings
from ingest.store.migrate import INGEST
from ingest.store.read import LedgerSums
from tests.support.databases import Database


def huewatch(*arguments: str, **settings: object) -> Result:
    """Run a command with these settings and an environment of its own."""
    app = typer.Typer()

    @app.callback()
    def load(context: typer.Context) -> None:
        context.obj = load_settings(settings, environ={})

    register(app, [INGEST])
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """A copy of the shipped configuration."""
    folder = tmp_path / "city"
    assert huewatch("config", "init", str(folder)).exit_code == 0
    return folder


def test_the_copied_configuration_loads_like_the_shipped_one(city: Path) -> None:
    assert load_catalogue(city / "catalog") == load_catalogue(
        Path(__file__).parents[2] / "config" / "catalog"
    )
    assert (city / "rules").is_dir()
    assert not list(city.rglob("*.py"))


def test_a_folder_with_something_in_it_is_not_written_over(city: Path) -> None:
    result = huewatch("config", "init", str(city))
    assert result.exit_code == 1
    assert "not an empty folder" in result.stderr


@pytest.mark.parametrize("kind", ["river", "street", "rain", "reservoir", "barrage", "tide", "air", "water"])
def test_a_new_station_of_each_kind_loads(city: Path, kind: str) -> None:
    result = huewatch("station", "new", "--id", "MINE", "--kind", kind, config_dir=city)
    assert result.exit_code == 0, result.output
    station = load_catalogue(city / "catalog").station("MINE")
    assert station.kind == kind
    assert str(city / "catalog" / "mine.yaml") in result.stdout
    assert f"huewatch --config {city} publish-test MINE" in result.stdout


@pytest.mark.parametrize(("sensor", "blanking"), [("em500-udl", 0.5), ("ldds75", 0.28)])
def test_a_new_ranging_station_says_what_it_can_see(city: Path, sensor: str, blanking: float) -> None:
    flags = (
        "--sensor",
        sensor,
        "--gateway",
        "app-1",
        "--device",
        "24e124713c16ffff",
        "--zero-elevation",
        "3.5",
    )
    result = huewatch("station", "new", "--id", "MINE", "--kind", "street", *flags, config_dir=city)
    assert result.exit_code == 0, result.output
    datastream = load_catalogue(city / "catalog").station("MINE").datastreams[0]
    assert datastream.ranging is not None
    assert (datastream.ranging.zero_elevation, datastream.ranging.blanking) == (3.5, blanking)
    assert (datastream.source.channel, datastream.source.unit) == ("distance", "mm")


def test_a_name_of_any_characters_is_kept(city: Path) -> None:
    name = 'Ngõ "1": #x \\ - [y] {z}'
    result = huewatch("station", "new", "--id", "MINE", "--name-vi", name, config_dir=city)
    assert result.exit_code == 0, result.output
    assert load_catalogue(city / "catalog").station("MINE").name.vi == name


def test_levels_are_taken_from_the_flag(city: Path) -> None:
    flags = ("--id", "MINE", "--kind", "river", "--levels", "BĐ I=1, BĐ II=2.5")
    assert huewatch("station", "new", *flags, config_dir=city).exit_code == 0
    levels = load_catalogue(city / "catalog").station("MINE").datastreams[0].levels
    assert [(level.name, level.value) for level in levels] == [("BĐ I", 1.0), ("BĐ II", 2.5)]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "Give --id"),
        (("--id", "../../evil"), "cannot be an id"),
        (("--id", "HUE-WL-KIMLONG"), "exists already"),
        (("--id", "MINE", "--kind", "sea"), "Use one of: river"),
        (("--id", "MINE", "--sensor", "lidar"), "Use one of: huewatch-json"),
        (("--id", "MINE", "--sensor", "ldds75"), "Give --gateway"),
        (("--id", "MINE", "--lat", "107.5", "--lon", "16.4"), "lat"),
        (("--id", "MINE", "--lat", "10.8"), "outside Huế"),
        (("--id", "MINE", "--cadence", "300"), "cadence"),
        (("--id", "MINE", "--levels", "high"), "NAME=VALUE"),
        (("--id", "MINE", "--levels", "a=nan"), "finite"),
        (("--id", "MINE", "--levels", "a=2,b=1"), "does not lie above"),
        (
            ("--id", "MINE", "--gateway", "gw-kimlong", "--device", "radar-1"),
            "Channel gw-kimlong / radar-1",
        ),
    ],
)
def test_a_station_that_cannot_be_is_refused_and_nothing_is_written(
    city: Path, flags: tuple[str, ...], message: str
) -> None:
    before = sorted(city.rglob("*"))
    result = huewatch("station", "new", *flags, config_dir=city)
    assert result.exit_code == 1, result.output
    assert message in result.stderr
    assert sorted(city.rglob("*")) == before


def test_the_shipped_configuration_is_never_written_to() -> None:
    result = huewatch("station", "new", "--id", "MINE")
    assert result.exit_code == 1
    assert "huewatch config init DIR" in result.stderr


@pytest.mark.parametrize("command", [("ledger",), ("quarantine", "list"), ("migrate",)])
def test_a_command_without_a_database_names_the_variable(command: tuple[str, ...]) -> None:
    result = huewatch(*command)
    assert result.exit_code == 1
    assert "HUEWATCH_DATABASE_URL is not set" in result.stderr


def test_a_database_beside_an_embedded_one_is_refused(tmp_path: Path) -> None:
    result = huewatch("ledger", database_url="postgresql://localhost/x", embedded=tmp_path)
    assert result.exit_code == 1
    assert "together" in result.stderr


def test_an_embedded_folder_where_nothing_runs_says_how_to_start_it(tmp_path: Path) -> None:
    result = huewatch("ledger", embedded=tmp_path)
    assert result.exit_code == 1
    assert "Remedy" in result.stderr


def test_migrate_applies_once_and_says_so(plain_database: Database) -> None:
    first = huewatch("migrate", database_url=plain_database.url)
    assert first.exit_code == 0, first.output
    assert "Applied ingest/0001" in first.stdout
    assert "Nothing to apply." in huewatch("migrate", database_url=plain_database.url).stdout
    other = huewatch("migrate", database_url=plain_database.url, nature="Exercise")
    assert other.exit_code == 1
    assert "Exercise" in other.stderr


def test_the_ledger_shows_each_gateway_and_says_ok(plain_database: Database) -> None:
    assert huewatch("migrate", database_url=plain_database.url).exit_code == 0
    with plain_database.connect() as connection:
        connection.execute(
            "INSERT INTO huewatch.ledger VALUES ('gw-1', '2025-10-27T00:00Z', 7, 5, 1, 1, 50, 40, 6, 3, 1)"
        )
    result = huewatch("ledger", database_url=plain_database.url)
    assert result.exit_code == 0, result.output
    assert "gw-1" in result.stdout
    assert "OK" in result.stdout


def test_a_row_that_does_not_add_up_is_named() -> None:
    row = LedgerSums("gw-1", 7, 5, 1, 2, 50, 40, 6, 3, 2)
    messages, readings = imbalances(row)
    assert "gw-1: 7 messages" in messages
    assert "= 51" in readings
    assert list(imbalances(LedgerSums("", 7, 5, 1, 1, 50, 40, 6, 3, 1))) == []


def test_the_quarantine_is_listed_by_reason_and_age(plain_database: Database) -> None:
    assert huewatch("migrate", database_url=plain_database.url).exit_code == 0
    with plain_database.connect() as connection:
        for reason, seen in (("no_route", "2025-01-01Z"), ("undecodable", "now")):
            connection.execute(
                "INSERT INTO huewatch.quarantine VALUES (%s, 'a/b', 'x', 1, %s, '', '', 0, 'gw', 3, %s, %s)",
                (reason.encode(), reason, seen, seen),
            )
    shown = [
        huewatch("quarantine", "list", *flags, database_url=plain_database.url).stdout.splitlines()[-1]
        for flags in ((), ("--since", "2h"), ("--reason", "no_route"), ("--limit", "1"))
    ]
    assert shown == ["2 rows.", "1 rows.", "1 rows.", "1 rows or more; raise --limit to see them."]


@pytest.mark.parametrize("since", ["yesterday", "2025-10-27T07:00", "2"])
def test_a_since_without_a_clear_meaning_is_refused(plain_database: Database, since: str) -> None:
    result = huewatch("ledger", "--since", since, database_url=plain_database.url)
    assert result.exit_code == 1
    assert "--since" in result.stderr


def test_foreign_text_cannot_act_on_a_terminal() -> None:
    shown = printable("\x1b[31mred\n[bold]\u202eabc\x07")
    assert shown.isprintable()
    assert json.dumps(shown) == json.dumps("\\x1b[31mred\\n\\[bold]\\u202eabc\\x07")
