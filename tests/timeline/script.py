"""Timelines: what a station says and when, and what must be told between which times.

A case file reads from top to bottom:

    # What holds, in one sentence.
    city: small                             tests/timeline/small; without this line the shipped configuration,
                                            with the stations of `city/` and the rules of `rules/`
    watch: HUE-WL-KIMLONG/water_level       a datastream of the catalogue; `up = KEY, low = KEY` for several
    rules: river-level                      the rules that are looked at

    00:00..01:00  0.80 -> 1.20              one value a cadence, in a straight line
    01:05  1.25?                            ? suspect, ! failed
    01:20  1.30 at 01:45                    measured at 01:20, arrives at 01:45
    02:00  tick                             time passes; `blind` and `sighted` say whether we can hear
    02:10  restart                          the service starts again from what is stored
    02:15  low: 1.30                        a value of another than the first datastream watched

    expect
    00:35..00:40  raised BĐ I               between these event times, in this order, and nothing else
    00:45  escalated BĐ II, not verified
    00:50  low: raised BĐ I                 of this target
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from ingest.model import Quality
from tests.property.engine_world import MINUTE, Item, Row, Tick

MIDNIGHT = 1_761_498_000_000_000  # 2025-10-27T00:00:00+07:00
FLAGS = {"": Quality.PASS, "?": Quality.SUSPECT, "!": Quality.FAIL}

TIME = r"(\d+):(\d\d)"
OF = r"(?:([a-z]+): )?"
VALUE = re.compile(rf"{TIME}  +{OF}(-?\d+\.\d+)([?!]?)(?: at {TIME})?")
RAMP = re.compile(rf"{TIME}\.\.{TIME}  +{OF}(-?\d+\.\d+) -> (-?\d+\.\d+)([?!]?)")
WORD = re.compile(rf"{TIME}  +(tick|blind|sighted|restart)")
EXPECTED = re.compile(rf"{TIME}(?:\.\.{TIME})?  +{OF}(\w+)(?: (.+?))?(, not verified)?(, learnt late)?")


@dataclass(frozen=True)
class Restart:
    pass


@dataclass(frozen=True)
class Expected:
    first: int
    last: int
    target: str
    kind: str
    level: str
    verified: bool
    learnt_late: bool


@dataclass
class Case:
    sentence: str
    watch: dict[str, str] = field(default_factory=dict)  # keys by the names that the case has for them
    rules: tuple[str, ...] = ()
    steps: list[Item | Restart] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)


def clock(hours: str, minutes: str) -> int:
    return MIDNIGHT + (int(hours) * 60 + int(minutes)) * MINUTE


def read_case(path: Path, numbers: dict[str, int], cadence: dict[str, int]) -> Case:
    """A case file; the database's number and the cadence (microseconds) of each datastream by its key."""
    first, *lines = [line.rstrip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    case = Case(first.removeprefix("# "))
    reader = _Reader(case, numbers, cadence)
    for line in lines:
        reader.read(line)
    reader.finish()
    return case


def named(listed: str) -> dict[str, str]:
    """ "up = A/x, low = B/x" as names and keys; one key alone has no name."""
    pairs = [entry.rpartition(" = ") for entry in listed.split(", ")]
    return {name: key for name, _, key in pairs}


class _Reader:
    def __init__(self, case: Case, numbers: dict[str, int], cadence: dict[str, int]) -> None:
        self.case, self.numbers, self.cadence = case, numbers, cadence
        self.sighted: int | None = MIDNIGHT - 24 * 60 * MINUTE
        self.expecting = False
        self.said: list[tuple[int, Item | Restart]] = []

    def read(self, line: str) -> None:
        if line.startswith("city: "):
            return
        if line.startswith("watch: "):
            self.case.watch = named(line.removeprefix("watch: "))
        elif line.startswith("rules: "):
            self.case.rules = tuple(line.removeprefix("rules: ").split(", "))
        elif line == "expect":
            self.expecting = True
        elif self.expecting:
            self.expect(line)
        else:
            self.say(line)

    def key(self, name: str | None) -> str:
        return self.case.watch[name] if name else next(iter(self.case.watch.values()))

    def say(self, line: str) -> None:
        if match := VALUE.fullmatch(line):
            hours, minutes, name, value, flag, *arrival = match.groups()
            time = clock(hours, minutes)
            self.row(self.key(name), time, float(value), flag, clock(*arrival) if arrival[0] else time)
        elif match := RAMP.fullmatch(line):
            begin, end = clock(*match.groups()[:2]), clock(*match.groups()[2:4])
            key, low, high = self.key(match[5]), float(match[6]), float(match[7])
            for time in range(begin, end + 1, self.cadence[key]):
                self.row(key, time, low + (high - low) * (time - begin) / (end - begin), match[8], time)
        elif match := WORD.fullmatch(line):
            self.word(clock(match[1], match[2]), match[3])
        else:
            raise ValueError(f"not a step: {line!r}")

    def row(self, key: str, time: int, value: float, flag: str, arrival: int) -> None:
        row = Row(self.numbers[key], time, round(value, 3), FLAGS[flag], arrival)
        self.said.append((arrival, row))

    def word(self, time: int, word: str) -> None:
        if word == "restart":
            self.said.append((time, Restart()))
            return
        self.sighted = {"tick": self.sighted, "blind": None, "sighted": time}[word]
        self.said.append((time, Tick(time, self.sighted)))

    def expect(self, line: str) -> None:
        match = EXPECTED.fullmatch(line)
        if match is None:
            raise ValueError(f"not an expectation: {line!r}")
        first = clock(match[1], match[2])
        last = clock(match[3], match[4]) if match[3] else first
        target = self.case.watch[match[5]] if match[5] else ""
        verified, late = not match[8], bool(match[9])
        self.case.expected.append(Expected(first, last, target, match[6], match[7] or "", verified, late))

    def finish(self) -> None:
        self.case.steps = [step for _, step in sorted(self.said, key=lambda entry: entry[0])]
