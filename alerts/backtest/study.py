"""One rule book over history beside the one in force: both scored, and what a change would have missed.

Both books hear the same refined rows in one pass. A crossing that the book in force hits and the other misses
is what a change must answer for, whatever else it makes better. Pure; called by `huewatch backtest`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from alerts.backtest.material import Material
from alerts.backtest.replay import Advance, Played, numbering, play
from alerts.backtest.score import Card, Scorer, Verdict, alerts_of
from alerts.backtest.truth import Samples, Times, Truth
from alerts.model import Event
from alerts.rules.book import Rule
from ingest.clock import to_datetime
from ingest.model import ObservationBatch

Book = Sequence[Rule]


@dataclass(frozen=True, slots=True)
class Missed:
    """A true crossing that the rules in force tell in time and a change does not."""

    verdict: Verdict
    zone: int

    @property
    def sentence(self) -> str:
        """What a person must know before the change is made."""
        station = self.verdict.target.station
        day = to_datetime(self.verdict.crossing.time) + timedelta(microseconds=self.zone)
        return (
            f"This change would have missed {self.verdict.level} of {station.name.en}"
            f" on {day.day} {day:%B %Y} at {day:%H:%M}."
        )


@dataclass(frozen=True, slots=True)
class Result:
    """One material under both books: what was played, each book's events and cards, and what was missed."""

    material: Material
    book: Book
    played: Played
    samples: Mapping[str, Samples]
    events: tuple[Event, ...]
    cards: tuple[Card, ...]
    in_force: tuple[Card, ...]
    missed: tuple[Missed, ...]


def examine(
    material: Material, book: Book, in_force: Book, truth: Truth, advance: Advance = lambda _rows: None
) -> Result:
    """Play and score both; where they are one book it is played once."""
    same = versions(book) == versions(in_force)
    books = [book] if same else [book, in_force]
    rules = [rule for each in books for rule in each]
    ids = numbering(material.keys, material.catalogue, rules)
    played = play(material.catalogue, books, ids, material.rows, advance)
    samples = dict(_samples(played, ids))
    cards = [
        _cards(material, each, events, samples, truth) for each, events in _scored(material, books, played)
    ]
    events = tuple(event for event in played.events[0] if event.detected_at >= material.since)
    missed = () if same else tuple(_missed(material, cards[0], cards[-1]))
    return Result(material, book, played, samples, events, cards[0], cards[-1], missed)


def versions(book: Book) -> dict[str, tuple[str, ...]]:
    """What decides whether two books are one: each rule's versions."""
    return {rule.id: rule.versions for rule in book}


def summed(cards: Iterable[Card]) -> list[Card]:
    """The cards of several materials as one for each rule, in the order of the first."""
    by_rule: dict[str, Card] = {}
    for card in cards:
        so_far = by_rule.get(card.rule)
        by_rule[card.rule] = card if so_far is None else _sum(so_far, card)
    return list(by_rule.values())


def _sum(one: Card, other: Card) -> Card:
    return replace(
        one,
        shadow=one.shadow or other.shadow,
        alerts=one.alerts + other.alerts,
        false=one.false + other.false,
        verdicts=one.verdicts + other.verdicts,
        flaps=one.flaps + other.flaps,
        notifications=one.notifications + other.notifications,
        span=one.span + other.span,
    )


def _scored(material: Material, books: Sequence[Book], played: Played) -> Iterable[tuple[Book, list[Event]]]:
    """Each book with its events, those of the warm-up left out unless their alert goes on."""
    for book, events in zip(books, played.events, strict=True):
        late = {event.alert_id for event in events if event.detected_at >= material.since}
        yield book, [event for event in events if event.alert_id in late]


def _cards(
    material: Material, book: Book, events: Sequence[Event], samples: Mapping[str, Samples], truth: Truth
) -> tuple[Card, ...]:
    scorer = Scorer(samples, truth, material.since, material.span)
    alerts = alerts_of(events)
    by_rule: dict[str, list[Event]] = {rule.id: [] for rule in book}
    for event in events:
        by_rule.setdefault(event.rule, []).append(event)
    return tuple(scorer.card(rule, by_rule[rule.id], alerts.get(rule.id, ())) for rule in book)


def _samples(played: Played, ids: Mapping[str, int]) -> Iterable[tuple[str, Samples]]:
    """Every datastream's rows by time; a result arrives with the row of its station that gives it."""
    rows = ObservationBatch.joined([played.rows, played.derived])
    order = np.lexsort((rows.time, rows.datastream))
    number = rows.datastream[order]
    measured: dict[str, list[Samples]] = {}
    for key, wanted in ids.items():  # results come last
        first, last = np.searchsorted(number, (wanted, wanted + 1)).tolist()
        own = order[first:last]
        found = Samples(rows.time[own], rows.value[own], rows.received_at[own])
        beside = measured.setdefault(key.split("/")[0], [])
        if len(own) and own[0] >= len(played.rows):
            found = replace(found, received=_arrivals(found.time, beside))
        else:
            beside.append(found)
        yield key, found


def _arrivals(times: Times, beside: Sequence[Samples]) -> Times:
    """When the first row at each time arrived, of any of these; the time itself where there is none."""
    arrivals = times.copy()
    for samples in reversed(beside):
        at = np.minimum(np.searchsorted(samples.time, times), max(len(samples) - 1, 0))
        there = samples.time[at] == times if len(samples) else np.zeros(len(times), np.bool_)
        arrivals[there] = samples.received[at[there]]
    return arrivals


def _missed(material: Material, ours: Sequence[Card], in_force: Sequence[Card]) -> Iterable[Missed]:
    """Crossings that some rule on the level itself hits in force, and none does after the change."""
    told = {_name(verdict) for verdict in _of_levels(ours) if verdict.hit}
    lost = {_name(v): v for v in _of_levels(in_force) if v.hit and _name(v) not in told}
    for verdict in sorted(lost.values(), key=lambda verdict: verdict.crossing.time):
        yield Missed(verdict, material.shown_in[verdict.target.station.id])


def _of_levels(cards: Iterable[Card]) -> Iterable[Verdict]:
    """A rule on trial tells nobody."""
    return (
        verdict for card in cards if card.truth == "levels" and not card.shadow for verdict in card.verdicts
    )


def _name(verdict: Verdict) -> tuple[str, float, int]:
    return verdict.target.key, verdict.limit, verdict.crossing.time
