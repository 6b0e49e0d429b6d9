"""What a rule does with given values, step by step, and why: the core of `huewatch rule test`. Pure.

Values are written "0.9 1.1 1.2@5min": numbers in the datastream's unit, one cadence apart unless `@` gives
the time since the value before. A value may carry a flag: `3.6?` is suspect, `3.6!` failed its quality tests.
A duration alone, "@2h", lets that time pass without a value, so that silence can be judged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from alerts.engine import Engine
from alerts.model import Condition, Event, EventKind, Phase
from alerts.rules.book import Rule
from alerts.rules.compound import Settings as CompoundSettings
from alerts.rules.kind import MICROS, Band, Plan, RowKind, Target
from ingest.config_model import DURATION, SECONDS_PER_UNIT
from ingest.model import Changes, Moment, ObservationBatch, Quality, TimeSource

STEP = re.compile(rf"(?:([+-]?[0-9]+(?:\.[0-9]+)?)([?!]?))?(?:@({DURATION.pattern}))?")
FLAG = {"": Quality.PASS, "?": Quality.SUSPECT, "!": Quality.FAIL}
START = 1_761_523_200 * MICROS  # 2025-10-27T07:00:00+07:00; any time would do


@dataclass(frozen=True, slots=True)
class Given:
    """One written step: a value, or None where only time passes; `after` the step before, microseconds."""

    value: float | None
    quality: Quality
    after: int


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did. Times in microseconds UTC; `why` is one sentence."""

    time: int
    value: float | None
    before: Phase
    after: Phase
    level: int
    events: tuple[Event, ...]
    why: str


def parse_values(text: str, cadence: float) -> list[Given]:
    """The steps of a text, `cadence` seconds apart where it gives no time; `ValueError` names a bad one."""
    steps = []
    for word in text.split():
        match = STEP.fullmatch(word)
        if match is None:
            raise ValueError(
                f"{word!r} is neither a value such as 1.2, 1.2@5min or 1.2?, nor a time such as @2h"
            )
        number, flag, _, amount, unit = match.groups()
        seconds = float(amount) * SECONDS_PER_UNIT[unit] if amount else cadence
        steps.append(Given(float(number) if number else None, FLAG[flag or ""], round(seconds * MICROS)))
    if not steps:
        raise ValueError("there is no value to play")
    return steps


def trace(rule: Rule, values: str, target: str | None = None) -> list[Step]:
    """Play the values to a rule at one of its targets (the first, unless named); one step for each.

    `ValueError` when a value cannot be read, or when the rule does not watch the target.
    """
    if isinstance(rule.settings, CompoundSettings):
        raise ValueError(f"{rule.id} looks at other rules: play those, or use `huewatch backtest`")
    target_of, plan, version = _chosen(rule, target)
    alone = replace(rule, plans=((target_of, plan),), versions=(version,))
    engine = Engine([alone])
    now, steps = START, []
    condition: Condition | None = None
    for place, given in enumerate(parse_values(values, target_of.datastream.cadence)):
        now += given.after if place else 0
        batch = _batch(given, now)
        outcome = engine.evaluate(Changes(batch, Moment(now, tick=given.value is None, sighted_since=START)))
        engine.adopt(outcome)
        before = condition
        condition = outcome.conditions[-1] if outcome.conditions else condition
        steps.append(_step(given, now, _Words(rule, plan), before, condition, outcome.events))
    return steps


def _chosen(rule: Rule, target: str | None) -> tuple[Target, Plan, str]:
    for (candidate, plan), version in zip(rule.plans, rule.versions, strict=True):
        if target in (None, candidate.key, candidate.station.id):
            return replace(candidate, number=0), plan, version
    raise ValueError(f"the rule {rule.id} does not watch {target or 'anything'}")


def _batch(given: Given, now: int) -> ObservationBatch:
    if given.value is None:
        return ObservationBatch.empty()
    return ObservationBatch(
        np.zeros(1, np.int32),
        np.array([now]),
        np.array([given.value]),
        np.array([given.quality], np.int8),
        np.array([now]),
        np.zeros(1, np.int32),
        np.zeros(1, np.bool_),
        np.array([TimeSource.DEVICE], np.int8),
        np.zeros(1, np.int64),
    )


@dataclass(frozen=True, slots=True)
class _Words:
    """What a rule's levels are called: where low values raise, bands are negated, and below is above."""

    rule: Rule
    plan: Plan

    @property
    def short(self) -> str:
        return "below" if self.rule.settings.sign > 0 else "above"

    @property
    def hold(self) -> str:
        return f"{self.plan.hold / MICROS / 60:g} min"

    def reached(self, band: Band) -> str:
        beyond = "above" if self.rule.settings.sign > 0 else "below"
        return self._own(band, 0) or f"at or {beyond} {band.name} ({self._value(band.raise_at)})"

    def left(self, band: Band) -> str:
        return self._own(band, 1) or f"{self.short} {self._value(band.clear_at)}"

    def confirmed(self) -> str:
        """What it takes, such as "2 of the newest 3 samples"."""
        plan = self.plan
        counted = f"{plan.samples} samples in a row" if plan.samples > 1 else "one sample"
        if plan.of > plan.samples:
            counted = f"{plan.samples} of the newest {plan.of} samples"
        return f"{counted} and {plan.sustain / MICROS / 60:g} min" if plan.sustain else counted

    def _own(self, band: Band, which: int) -> str:
        say = getattr(self.rule.kind, "words", None)
        words = say(self.rule.settings, self.plan, band) if say else None
        return str(words[which]) if words else ""

    def _value(self, limit: float) -> str:
        return f"{self.rule.settings.sign * limit + 0.0:g} {self.plan.unit}"


def _step(
    given: Given,
    now: int,
    words: _Words,
    before: Condition | None,
    after: Condition | None,
    told: Sequence[Event],
) -> Step:
    return Step(
        time=now,
        value=given.value,
        before=before.phase if before else Phase.INACTIVE,
        after=after.phase if after else Phase.INACTIVE,
        level=after.level if after else 0,
        events=tuple(told),
        why=_why(given, now, words, before, after, told),
    )


def _why(
    given: Given,
    now: int,
    words: _Words,
    before: Condition | None,
    after: Condition | None,
    told: Sequence[Event],
) -> str:
    """One sentence on what the step did."""
    if told:
        return _why_told(told[-1], words, before)
    if given.value is None:
        return "Time passes; nothing is late."
    kind, settings = words.rule.kind, words.rule.settings
    if isinstance(kind, RowKind) and given.quality not in kind.accepted(settings):
        said = "failed its quality tests" if given.quality is Quality.FAIL else "is suspect"
        return f"The value {said}: it neither raises nor ends anything."
    phase = after.phase if after else Phase.INACTIVE
    if phase is Phase.INACTIVE:
        if settings.active is not None and not settings.active.holds(np.array([now]))[0]:
            return "The rule is not active at this time: it raises nothing."
        short = words.short.capitalize()
        if before is None or before.phase is phase:
            return f"{short} every level."
        return f"{short} the level again: not confirmed."
    assert after is not None
    return _why_held(after, now, words)


def _why_told(event: Event, words: _Words, before: Condition | None) -> str:
    name, unit, plan = event.level_name, event.unit, words.plan
    if event.rule_kind == "silence":
        return f"{'Silent for' if event.level else 'Heard again after'} {event.value:g} s."
    if event.kind in (EventKind.RAISED, EventKind.ESCALATED):
        reached = f"at or {event.direction} {name} ({event.threshold:g} {unit})"
        if plan.samples == 1 and not plan.sustain:
            return f"It stands {reached}."
        seen_before = before is not None and before.candidate_level >= event.level
        if not seen_before and plan.of <= plan.samples:
            return f"One sample that continues the trend stands beyond doubt {reached}."
        return f"{words.confirmed()[0].upper()}{words.confirmed()[1:]} stand {reached}."
    short = words.short.capitalize()
    if event.kind is EventKind.LOWERED:
        return f"{short} the level's clear value for {words.hold}; {name} is still held."
    return f"{short} every level's clear value for {words.hold}."


def _why_held(condition: Condition, now: int, words: _Words) -> str:
    bands = {band.rank: band for band in words.plan.bands}
    if condition.candidate_level:
        reached = words.reached(bands[condition.candidate_level])
        needed = words.confirmed()
        return (
            f"{reached[0].upper()}{reached[1:]}: {needed} {'is' if needed == 'one sample' else 'are'} needed."
        )
    band = bands[condition.level]
    left = words.left(band)
    if condition.phase is Phase.CLEARING and condition.since is not None:
        minutes = (now - condition.since) / MICROS / 60
        return f"{left[0].upper()}{left[1:]} for {minutes:g} of the {words.hold} that end {band.name}."
    return f"{band.name} is held: not {left}."
