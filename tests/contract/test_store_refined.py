"""What a value is worth and what follows from it, in the transaction that stores it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ingest.catalog import Catalogue
from ingest.derive.deriver import Load
from ingest.derive.window_sum import WindowSum
from ingest.model import Intake, Nature, ObservationBatch, Quality, TimeSource
from ingest.refine import Refined, Refiner
from ingest.store import connect
from ingest.store.datastreams import register
from ingest.store.errors import Transient
from ingest.store.migrate import INGEST, migrate
from ingest.store.read import recent
from ingest.store.write import Writer
from tests.support.databases import Database
from tests.support.store import MINUTE, NOW, WINDOW, TellingSink, commit, says, table, told

LEVEL, RAIN = "RIVER/level", "RIVER/rain"
START = NOW - 6 * 60 * MINUTE
EVALUATE = Refiner.evaluate


def city(zero: float = 5.0) -> Catalogue:
    station = {
        "id": "RIVER",
        "name": {"vi": "Sông", "en": "River"},
        "kind": "river",
        "location": {"lat": 16.45, "lon": 107.56},
        "datastreams": (
            {
                "name": "level",
                "property": "water_level",
                "unit": "m",
                "cadence": 300.0,
                "source": {"gateway": "gw", "device": "dev", "channel": "distance"},
                "ranging": {"zero_elevation": zero, "blanking": 0.5, "max_range": 10.0},
                "gross_range": {"fail": (-1.0, 9.0)},
                "quality": {"spike": {"suspect": 0.2, "fail": 0.6}},
                "levels": ({"name": "BĐ I", "value": 2.0},),
            },
            {
                "name": "rain",
                "property": "rainfall",
                "unit": "mm",
                "cadence": 600.0,
                "source": {"gateway": "gw", "device": "dev", "channel": "rain"},
            },
        ),
        "derived": (
            {
                "name": "rain_1h",
                "property": "rain_1h",
                "unit": "mm",
                "cadence": 600.0,
                "derive": {"kind": "window_sum", "of": "rain", "window": 3600.0},
            },
            {
                "name": "margin",
                "property": "margin_1",
                "unit": "m",
                "cadence": 300.0,
                "derive": {"kind": "margin", "of": "level", "level": "BĐ I"},
            },
        ),
    }
    return Catalogue.model_validate({"stations": (station,), "routes": ()})


def prepared(url: str, catalogue: Catalogue) -> dict[str, int]:
    with connect(url, application_name="test") as connection:
        migrate(connection, [INGEST], Nature.EXERCISE)
        keys = [key for key, *_ in (*catalogue.datastreams(), *catalogue.derived())]
        return register(connection, keys, Nature.EXERCISE)


def writer_of(url: str, catalogue: Catalogue, ids: dict[str, int]) -> Writer:
    writer = Writer(url, "city", "test", WINDOW, Refiner(catalogue, ids))
    writer.claim()
    writer.correct_zeros(catalogue, ids)
    writer.rebuild(())
    return writer


def rows(*readings: tuple[int, int, float]) -> Intake:
    """Readings (datastream, minute from the start, value), flagged as a normaliser without ranges would."""
    intake = says(*((series, START + minute * MINUTE, value) for series, minute, value in readings))
    observations = intake.observations
    observations.quality[:] = Quality.NOT_EVALUATED
    return replace(intake, observations=observations)


def qualities(url: str, series: int) -> list[tuple[int, int]]:
    """Flag at arrival and flag now of each row, by time."""
    return table(
        url,
        "SELECT first_quality::int, quality::int FROM observation_current"
        " WHERE datastream = %s ORDER BY time",
        series,
    )


def results(url: str, series: int) -> dict[int, tuple[float | None, float, int]]:
    """Minute -> (value, coverage, revision)."""
    found = table(
        url,
        "SELECT ((extract(epoch FROM time) * 1000000)::int8 - %s) / 60000000, value,"
        " coverage::float8, revision"
        " FROM derived WHERE datastream = %s ORDER BY time",
        START,
        series,
    )
    return {int(minute): (value, round(coverage, 3), revision) for minute, value, coverage, revision in found}


def levels(url: str, series: int) -> list[float]:
    query = "SELECT value FROM observation_current WHERE datastream = %s ORDER BY time"
    return [value for (value,) in table(url, query, series)]


SPIKE = [(0, 1.0), (5, 1.0), (10, 2.0), (15, 1.0), (20, 1.0)]


@pytest.mark.every_database
@pytest.mark.parametrize("cut", [1, 2, 3, 5])
def test_spike_is_revised_when_the_next_sample_decides_however_batches_are_cut(
    database: Database, cut: int
) -> None:
    catalogue = city()
    ids = prepared(database.url, catalogue)
    writer = writer_of(database.url, catalogue, ids)
    for first in range(0, len(SPIKE), cut):
        commit(writer, rows(*((ids[LEVEL], minute, value) for minute, value in SPIKE[first : first + cut])))
    found = qualities(database.url, ids[LEVEL])
    assert [first for first, _ in found] == [Quality.PASS] * 5  # what alerts were decided on
    assert [now for _, now in found] == [Quality.PASS, Quality.PASS, Quality.FAIL, Quality.PASS, Quality.PASS]
    writer.close()


def test_spike_is_decided_also_by_the_process_after(plain_database: Database) -> None:
    catalogue = city()
    ids = prepared(plain_database.url, catalogue)
    for minute, value in SPIKE:
        writer = writer_of(plain_database.url, catalogue, ids)
        commit(writer, rows((ids[LEVEL], minute, value)))
        writer.close()
    assert [now for _, now in qualities(plain_database.url, ids[LEVEL])][2] == Quality.FAIL


def rain(ids: dict[str, int], *minutes: int) -> Intake:
    return rows(*((ids[RAIN], minute, 1.0) for minute in minutes))


@pytest.mark.every_database
@pytest.mark.parametrize(
    "batches",
    [
        [[0, 10, 20, 30, 40, 50, 60, 70]],
        [[0], [10], [20], [30], [40], [50], [60], [70]],
        [[70, 0], [60, 10, 50], [40, 20, 30]],
    ],
    ids=["at once", "one by one", "late"],
)
def test_rain_sum_ends_the_same_in_any_order_and_says_what_it_covers(
    database: Database, batches: Sequence[Sequence[int]]
) -> None:
    catalogue = city()
    ids = prepared(database.url, catalogue)
    writer = writer_of(database.url, catalogue, ids)
    for batch in batches:
        commit(writer, rain(ids, *batch))
    found = {at: value[:2] for at, value in results(database.url, ids["RIVER/rain_1h"]).items()}
    assert sorted(found) == [0, 10, 20, 30, 40, 50, 60, 70]
    assert found[60] == (6.0, 1.0)
    assert found[70] == (6.0, 1.0)
    assert found[0][1] < 0.5
    writer.close()


def test_late_rain_corrects_sums_older_than_the_memory(plain_database: Database) -> None:
    catalogue = city()
    ids = prepared(plain_database.url, catalogue)
    writer = writer_of(plain_database.url, catalogue, ids)
    commit(writer, rain(ids, *(minute for minute in range(0, 360, 10) if minute != 30)))
    before = results(plain_database.url, ids["RIVER/rain_1h"])
    commit(writer, rain(ids, 30))
    after = results(plain_database.url, ids["RIVER/rain_1h"])
    assert after[60][0] == 6.0
    assert before[60][0] == 5.0
    assert after[60][2] == before[60][2] + 1
    assert after[200] == before[200]
    writer.close()


def test_margin_is_that_of_its_level(plain_database: Database) -> None:
    catalogue = city()
    ids = prepared(plain_database.url, catalogue)
    writer = writer_of(plain_database.url, catalogue, ids)
    commit(writer, rows((ids[LEVEL], 0, 1.4)))
    commit(writer, rows((ids[LEVEL], 5, 2.6)))
    values = [value for value, _, _ in results(plain_database.url, ids["RIVER/margin"]).values()]
    assert values == [pytest.approx(-0.6), pytest.approx(0.6)]
    writer.close()


@pytest.mark.every_database
def test_corrected_zero_moves_stored_levels_under_a_new_revision(database: Database) -> None:
    catalogue = city(5.0)
    ids = prepared(database.url, catalogue)
    writer = writer_of(database.url, catalogue, ids)
    commit(writer, rows((ids[LEVEL], 0, 1.0), (ids[LEVEL], 5, 1.25)))
    writer.close()
    higher = city(5.5)
    writer = Writer(database.url, "city", "test", WINDOW, Refiner(higher, ids))
    writer.claim()
    assert [one.offset for one in writer.correct_zeros(higher, ids)] == [0.5]
    assert list(writer.correct_zeros(higher, ids)) == []
    writer.rebuild(())
    assert levels(database.url, ids[LEVEL]) == [1.5, 1.75]
    margins = results(database.url, ids["RIVER/margin"])
    assert {at: (value, revision) for at, (value, _, revision) in margins.items()} == {
        0: (-0.5, 2),
        5: (-0.25, 2),
    }
    measured = "SELECT value FROM observation WHERE datastream = %s ORDER BY time"
    assert table(database.url, measured, ids[LEVEL]) == [(1.0,), (1.25,)]
    again = commit(writer, rows((ids[LEVEL], 0, 1.5)))  # delivered again, and read by the new zero
    assert (again.duplicate, again.conflict) == (1, 0)
    writer.close()
    back = writer_of(database.url, city(5.0), ids)
    assert levels(database.url, ids[LEVEL]) == [1.0, 1.25]
    revisions = "SELECT array_agg(revision ORDER BY revision) FROM installation WHERE datastream = %s"
    assert table(database.url, revisions, ids[LEVEL]) == [([1, 2, 3],)]
    back.close()


def test_fault_in_a_derivation_costs_no_reading(
    plain_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = city()
    ids = prepared(plain_database.url, catalogue)
    writer = writer_of(plain_database.url, catalogue, ids)
    with monkeypatch.context() as broken:
        broken.setattr(WindowSum, "compute", lambda *_: 1 // 0)
        assert commit(writer, rain(ids, 0, 10)).stored == 2
    assert results(plain_database.url, ids["RIVER/rain_1h"]) == {}
    commit(writer, rain(ids, 20))  # the memory was read again: the rows before count
    assert results(plain_database.url, ids["RIVER/rain_1h"])[20][0] == 3.0
    writer.close()


def test_result_that_the_database_refuses_costs_no_reading(
    plain_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = city()
    ids = prepared(plain_database.url, catalogue)
    writer = writer_of(plain_database.url, catalogue, ids)
    intake = rain(ids, 0)
    with monkeypatch.context() as broken:
        broken.setattr(Refiner, "evaluate", _covers_more_than_all)
        with pytest.raises(Transient):
            commit(writer, intake)
        assert commit(writer, intake).stored == 1
    writer.close()


def _covers_more_than_all(refiner: Refiner, fresh: ObservationBatch, load: Load) -> Refined:
    found = EVALUATE(refiner, fresh, load)
    return replace(found, derived=replace(found.derived, coverage=found.derived.coverage + 2.0))


def test_result_that_is_there_already_is_revised(plain_database: Database) -> None:
    catalogue = city()
    ids = prepared(plain_database.url, catalogue)
    writer = writer_of(plain_database.url, catalogue, ids)
    table(
        plain_database.url,
        "INSERT INTO derived (datastream, time, value, coverage, quality, revision, inputs_until)"
        " SELECT %s, to_timestamp(%s / 1e6), 9, 1, 1, 1, now() RETURNING 1",
        ids["RIVER/rain_1h"],
        START,
    )
    assert commit(writer, rain(ids, 0)).stored == 1
    assert results(plain_database.url, ids["RIVER/rain_1h"])[0][::2] == (1.0, 2)
    writer.close()


@pytest.mark.every_database
def test_sinks_are_told_a_result_once_and_read_it_back_as_it_first_was(database: Database) -> None:
    catalogue = city()
    ids = prepared(database.url, catalogue)
    hour = ids["RIVER/rain_1h"]
    writer = writer_of(database.url, catalogue, ids)
    sink = TellingSink(database.url)
    for minutes in ([0], [20], [10]):  # the reading of 10 corrects the sum at 20
        commit(writer, rain(ids, *minutes), sink)
    sums = [(time, value) for series, time, value in told(database.url) if series == hour]
    assert sums == [(START, 1.0), (START + 20 * MINUTE, 2.0), (START + 10 * MINUTE, 2.0)]
    assert results(database.url, hour)[20][0] == 3.0
    with connect(database.url, application_name="test") as connection:
        back = recent(connection, [hour], 24 * 60 * MINUTE, 10)
    assert sorted(zip(back.time.tolist(), back.value.tolist(), strict=True)) == sorted(sums)
    writer.close()


@pytest.mark.every_database
@pytest.mark.parametrize("cut", [1, 4])
def test_readings_that_a_gateway_held_back_are_doubted_all(database: Database, cut: int) -> None:
    catalogue = city()
    ids = prepared(database.url, catalogue)
    writer = writer_of(database.url, catalogue, ids)
    at_once = [(ids[RAIN], START + second * 1_000_000, 1.0) for second in (0, 2, 4, 6)]
    for first in range(0, len(at_once), cut):
        intake = says(*at_once[first : first + cut])
        intake.observations.time_source[:] = TimeSource.SERVER
        commit(writer, intake)
    found = qualities(database.url, ids[RAIN])
    assert [now for _, now in found] == [Quality.SUSPECT] * 4
    assert [first for first, _ in found] == [Quality.PASS, Quality.PASS, Quality.SUSPECT, Quality.SUSPECT]
    writer.close()
