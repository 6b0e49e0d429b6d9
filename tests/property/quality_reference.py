"""Streaming quality said again, slowly: one row at a time, lists and dicts, nothing shared but the settings.

`Reference.take` judges a row and remembers it; `flags` holds what every row has come to. Shared by the
property tests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ingest.catalog import Datastream
from ingest.model import Quality
from ingest.quality.flags import Test
from ingest.quality.limits import MOST_ROWS, gap_of, look_back, rows_for

PASS, NOT_EVALUATED, SUSPECT, FAIL = Quality.PASS, Quality.NOT_EVALUATED, Quality.SUSPECT, Quality.FAIL
RANK = {Quality.MISSING: 0, NOT_EVALUATED: 1, PASS: 2, SUSPECT: 3, FAIL: 4}
MONTH_ZONE = 7 * 3600


@dataclass
class Item:
    """One row as it comes."""

    datastream: int
    time: int
    value: float
    quality: int = NOT_EVALUATED


@dataclass
class Seen:
    """One row as it is remembered."""

    time: int
    value: float
    doubted: bool
    flags: dict[Test, int] = field(default_factory=dict)

    def failed(self, *tests: Test) -> bool:
        return any(self.flags.get(test) == FAIL for test in (tests or tuple(Test)))

    @property
    def sound(self) -> bool:
        return not self.failed(Test.GROSS_RANGE, Test.SENSOR)


class Reference:
    def __init__(
        self, streams: Sequence[tuple[int, str, Datastream]], resets: Mapping[int, Sequence[int]]
    ) -> None:
        self.streams = {number: stream for number, _, stream in streams}
        self.numbers = {key: number for number, key, _ in streams}
        self.resets = resets
        self.memory: dict[int, list[Seen]] = {number: [] for number in self.streams}
        self.flags: dict[tuple[int, int], dict[Test, int]] = {}
        over = dict.fromkeys(self.streams, 0.0)
        for stream in self.streams.values():
            if stream.quality.neighbour:
                other = self.numbers[stream.quality.neighbour.of]
                over[other] = max(over[other], stream.quality.neighbour.over)
        self.rows = {n: min(rows_for(s, over[n]), MOST_ROWS) for n, s in self.streams.items()}
        self.span = {n: round(look_back(s, over[n]) * 1e6) for n, s in self.streams.items()}

    # -- what a row sees

    def era(self, number: int, time: int) -> int:
        return sum(reset <= time for reset in self.resets.get(number, ()))

    def before(self, number: int, time: int) -> list[Seen]:
        """Remembered rows before a time, newest first, of its own installation."""
        rows = self.memory[number]
        newest = max([row.time for row in rows[-1:]] + [time])
        return [
            row
            for row in reversed(rows)
            if row.time < time
            and row.time >= newest - self.span[number]
            and self.era(number, row.time) == self.era(number, time)
        ]

    def reach(self, number: int) -> int:
        return round(3 * self.streams[number].cadence * 1e6)

    def take(self, item: Item) -> None:
        stream, number = self.streams[item.datastream], item.datastream
        row = Seen(item.time, item.value, item.quality == SUSPECT)
        row.flags[Test.SYNTAX] = PASS
        gross = row.flags[Test.GROSS_RANGE] = self.gross(stream, item.value)
        outranks = RANK[Quality(item.quality)] > RANK[Quality(gross)]
        row.flags[Test.SENSOR] = item.quality if outranks else NOT_EVALUATED
        before = self.before(number, item.time)
        tests = stream.quality
        if tests.climatology:
            row.flags[Test.CLIMATOLOGY] = self.climatology(stream, item)
        if gap_of(tests):
            row.flags[Test.GAP] = self.gap(stream, item, before)
        if tests.spike:
            self.spike(number, row, before)
        if tests.rate_of_change:
            row.flags[Test.RATE_OF_CHANGE] = self.rate(stream, row, before) if row.sound else NOT_EVALUATED
        if tests.flat_line:
            row.flags[Test.FLAT_LINE] = self.flat(number, row, before)
        if tests.attenuated_signal:
            row.flags[Test.ATTENUATED_SIGNAL] = self.attenuated(stream, row, before)
        if tests.neighbour:
            row.flags[Test.NEIGHBOUR] = self.neighbour(number, row, before) if row.sound else NOT_EVALUATED
        if tests.rate_of_change and self.verify(number, row, before):
            row.flags[Test.VERIFY] = SUSPECT
        self.flags[number, item.time] = row.flags
        rows = self.memory[number]
        rows.append(row)
        rows.sort(key=lambda seen: seen.time)
        del rows[: -self.rows[number]]

    # -- the tests

    def gross(self, stream: Datastream, value: float) -> int:
        gross = stream.gross_range
        if gross is None:
            return NOT_EVALUATED
        suspect = gross.suspect or gross.fail
        if not gross.fail[0] <= value <= gross.fail[1]:
            return FAIL
        return PASS if suspect[0] <= value <= suspect[1] else SUSPECT

    def climatology(self, stream: Datastream, item: Item) -> int:
        import datetime

        moment = datetime.datetime.fromtimestamp(item.time / 1e6 + MONTH_ZONE, datetime.UTC)
        for season in stream.quality.climatology:
            if moment.month in season.months:
                return PASS if season.suspect[0] <= item.value <= season.suspect[1] else SUSPECT
        return NOT_EVALUATED

    def gap(self, stream: Datastream, item: Item, before: list[Seen]) -> int:
        gap = gap_of(stream.quality)
        assert gap
        last = self.memory[item.datastream][-1:]
        if last and last[0].time < item.time:  # in order: however long ago
            same = self.era(item.datastream, last[0].time) == self.era(item.datastream, item.time)
            before = last if same else []
        if not before:
            return NOT_EVALUATED
        cadences = (item.time - before[0].time) / 1e6 / stream.cadence
        return Quality.MISSING if cadences > gap.missing else SUSPECT if cadences > gap.late else PASS

    def spike(self, number: int, row: Seen, before: list[Seen]) -> None:
        """Decides the row before, then says what it can of the row itself."""
        spike = self.streams[number].quality.spike
        assert spike
        row.flags[Test.SPIKE] = NOT_EVALUATED
        if not row.sound:
            return
        reach = self.reach(number)
        place = next((n for n, seen in enumerate(before[:3]) if seen.sound), None)
        if place is not None:
            pending = before[place]
            if row.time - pending.time <= reach and pending.flags.get(Test.SPIKE, 2) == NOT_EVALUATED:
                earlier = self.good(before[place + 1 : place + 4], pending.time - reach)
                self.decide(number, earlier, pending, row)
        last = self.good(before[:3], row.time - reach)
        if last and spike.method == "differential" and abs(row.value - last.value) <= spike.suspect:
            row.flags[Test.SPIKE] = PASS
        after = next((seen for seen in self.memory[number] if seen.time > row.time), None)
        if (
            after
            and after.sound
            and after.time - row.time <= reach
            and self.era(number, after.time) == self.era(number, row.time)
        ):
            self.decide(number, last, row, after)

    def good(self, rows: list[Seen], since: int) -> Seen | None:
        first = next((seen for seen in rows if not seen.failed()), None)
        return first if first and first.time >= since else None

    def decide(self, number: int, before: Seen | None, row: Seen, after: Seen) -> None:
        spike = self.streams[number].quality.spike
        assert spike
        if before is None:
            return
        up, down = row.value - before.value, row.value - after.value
        if spike.method == "differential":
            amount = min(abs(up), abs(down)) if up * down > 0 else 0.0
        else:
            share = (row.time - before.time) / (after.time - before.time)
            amount = abs(row.value - (before.value + (after.value - before.value) * share))
        row.flags[Test.SPIKE] = graded(amount, spike.suspect, spike.fail)

    def rate(self, stream: Datastream, row: Seen, before: list[Seen]) -> int:
        rate = stream.quality.rate_of_change
        assert rate
        last = next((seen for seen in before[:12] if not seen.failed()), None)
        if last is None:
            return NOT_EVALUATED
        hours = max((row.time - last.time) / 1e6, stream.cadence / 2, 1.0) / 3600
        return graded(abs(row.value - last.value) / hours, rate.suspect, rate.fail)

    def flat(self, number: int, row: Seen, before: list[Seen]) -> int:
        stream = self.streams[number]
        flat = stream.quality.flat_line
        assert flat
        if not row.sound or row.doubted or (flat.above is not None and row.value < flat.above):
            return NOT_EVALUATED
        tolerance = max(flat.tolerance, stream.quality.resolution or 0.0) * (1 + 1e-9)
        line = [row]
        for seen in before:
            values = [one.value for one in (*line, seen)]
            if max(values) - min(values) > tolerance or line[-1].time - seen.time > self.reach(number):
                break
            line.append(seen)
        lasted = (row.time - line[-1].time) / 1e6 if len(line) >= 3 else 0.0
        if flat.fail is not None and lasted >= flat.fail:
            return FAIL
        return SUSPECT if lasted >= flat.suspect else PASS

    def attenuated(self, stream: Datastream, row: Seen, before: list[Seen]) -> int:
        quiet = stream.quality.attenuated_signal
        assert quiet
        if not row.sound or row.doubted:
            return NOT_EVALUATED
        wrong = (Test.GROSS_RANGE, Test.SENSOR, Test.SPIKE, Test.RATE_OF_CHANGE)
        inside = [seen for seen in before if seen.time > row.time - round(quiet.window * 1e6)]
        counted = [row] + [seen for seen in inside if not seen.failed(*wrong)]
        values = [seen.value for seen in counted]
        seconds = (row.time - counted[-1].time) / 1e6
        few = len(values) < max(2, 0.8 * quiet.window / stream.cadence)
        moved = quiet.min_range is not None and max(values) - min(values) >= quiet.min_range
        if not moved and (few or seconds < 0.8 * quiet.window - stream.cadence):
            return NOT_EVALUATED
        if quiet.min_range is not None:
            return SUSPECT if max(values) - min(values) < quiet.min_range else PASS
        mean = sum(values) / len(values)
        deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
        assert quiet.min_std is not None
        return SUSPECT if deviation < quiet.min_std else PASS

    def neighbour(self, number: int, row: Seen, before: list[Seen]) -> int:
        neighbour = self.streams[number].quality.neighbour
        assert neighbour
        other = self.numbers[neighbour.of]
        if not self.memory[other]:
            return NOT_EVALUATED
        newest = self.memory[other][-1]
        wrong = (Test.GROSS_RANGE, Test.SENSOR, Test.RATE_OF_CHANGE, Test.FLAT_LINE)
        if abs(newest.time - row.time) > neighbour.within * 1e6 or newest.failed(*wrong):
            return NOT_EVALUATED
        found = NOT_EVALUATED
        if neighbour.difference is not None:
            found = SUSPECT if abs(row.value - newest.value) > neighbour.difference else PASS
        if neighbour.trend is not None:
            here = self.trend(row, before, neighbour.over)
            there = self.trend(newest, self.before(other, newest.time), neighbour.over)
            if here is not None and there is not None:
                small = min(abs(here), abs(there)) <= neighbour.trend
                opposite = SUSPECT if here * there < 0 and not small else PASS
                found = max(found, opposite, key=lambda flag: RANK[Quality(flag)])
        return found

    def trend(self, row: Seen, before: list[Seen], over: float) -> float | None:
        wrong = (Test.GROSS_RANGE, Test.SENSOR, Test.SPIKE, Test.RATE_OF_CHANGE)
        old = [s for s in before if s.time <= row.time - round(over * 1e6) and not s.failed(*wrong)]
        if not old or (row.time - old[0].time) / 1e6 > 1.5 * over:
            return None
        return (row.value - old[0].value) / ((row.time - old[0].time) / 1e6) * 3600

    def verify(self, number: int, row: Seen, before: list[Seen]) -> bool:
        stream = self.streams[number]
        rate = stream.quality.rate_of_change
        assert rate
        chain = [row, *before[:2]]
        if len(chain) < 3 or not all(s.failed(Test.GROSS_RANGE, Test.RATE_OF_CHANGE) for s in chain):
            return False
        limit = rate.suspect if rate.fail is None else rate.fail
        for one, other in ((chain[0], chain[1]), (chain[1], chain[2])):
            seconds = max((one.time - other.time) / 1e6, stream.cadence / 2, 1.0)
            if one.time - other.time > self.reach(number):
                return False
            if abs(one.value - other.value) > limit * seconds / 3600:
                return False
        return True


def graded(amount: float, suspect: float, fail: float | None) -> int:
    if fail is not None and amount > fail:
        return FAIL
    return SUSPECT if amount > suspect else PASS
