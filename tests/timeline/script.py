"""Timelines: what a station says and when, and what must be told between which times.

A case file reads from top to bottom:

    # What holds, in one sentence.
    watch: HUE-WL-KIMLONG/water_level       one datastream of the shipped catalogue, or of `city/`
    rules: river-level                      the rules that are looked at, shipped ones or those of `rules/`

    00:00..01:00  0.80 -> 1.20              one value a cadence, in a straight line
    01:05  1.25?                            ? suspect, ! failed
    01:20  1.30 at 01:45                    measured at 01:20, arrives at 01:45
    02:00  tick                             time passes; `blind` and `sighted` say whether we can hear
    02:10  restart                          the service starts again from what is stored

    expect
    00:35..00:40  raised BĐ I               between these event times, in this order, and nothing else
    00:45  escalated BĐ II, not verified
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
VALUE = re.compile(rf"{TIME}  +(-?\d+\.\d+)([?!]?)(?: at {TIME})?")
RAMP = re.compile(rf"{TIME}\.\.{TIME}  +(-?\d+\.\d+) -> (-?\d+\.\d+)([?!]?)")
WORD = re.compile(rf"{TIME}  +(tick|blind|sighted|restart)")
EXPECTED = re.compile(rf"{TIME}(?:\.\.{TIME})?  +(\w+)(?: (.+?))?(, not verified)?")


@dataclass(frozen=True)
class Restart:
    pass


@dataclass(frozen=True)
class Expected:
    first: int
    last: int
    kind: str
    level: str
    verified: bool


@dataclass
class Case:
    sentence: str
    watch: str = ""
    rules: tuple[str, ...] = ()
    steps: list[Item | Restart] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)


def clock(hours: str, minutes: str) -> int:
    return MIDNIGHT + (int(hours) * 60 + int(minutes)) * MINUTE


def read_case(path: Path, number: int, cadence: dict[str, int]) -> Case:
    """A case file; `number` is the datastream's, `cadence` (microseconds) by datastream key."""
    first, *lines = [line.rstrip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    case = Case(first.removeprefix("# "))
    reader = _Reader(case, number, cadence)
    for line in lines:
        reader.read(line)
    reader.finish()
    return case


class _Reader:
    def __init__(self, case: Case, number: int, cadence: dict[str, int]) -> None:
        self.case, self.number, self.cadence = case, number, cadence
        self.sighted: int | None = MIDNIGHT - 24 * 60 * MINUTE
        self.expecting = False
        self.said: list[tuple[int, Item | Restart]] = []

    def read(self, line: str) -> None:
        if line.startswith("watch: "):
            self.case.watch = line.removeprefix("watch: ")
        elif line.startswith("rules: "):
            self.case.rules = tuple(line.removeprefix("rules: ").split(", "))
        elif line == "expect":
            self.expecting = True
        elif self.expecting:
            self.expect(line)
        else:
            self.say(line)

    def say(self, line: str) -> None:
        if match := VALUE.fullmatch(line):
            hours, minutes, value, flag, *arrival = match.groups()
            time = clock(hours, minutes)
            self.row(time, float(value), flag, clock(*arrival) if arrival[0] else time)
        elif match := RAMP.fullmatch(line):
            begin, end = clock(*match.groups()[:2]), clock(*match.groups()[2:4])
            low, high, step = float(match[5]), float(match[6]), self.cadence[self.case.watch]
            for time in range(begin, end + 1, step):
                self.row(time, low + (high - low) * (time - begin) / (end - begin), match[7], time)
        elif match := WORD.fullmatch(line):
            self.word(clock(match[1], match[2]), match[3])
        else:
            raise ValueError(f"not a step: {line!r}")

    def row(self, time: int, value: float, flag: str, arrival: int) -> None:
        self.said.append((arrival, Row(self.number, time, round(value, 3), FLAGS[flag], arrival)))

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
        self.case.expected.append(Expected(first, last, match[5], match[6] or "", not match[7]))

    def finish(self) -> None:
        self.case.steps = [step for _, step in sorted(self.said, key=lambda entry: entry[0])]
