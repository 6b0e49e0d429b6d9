"""A backtest for people and for machines: the scorecard, what was missed, what was false. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from alerts.backtest.score import Alert, Card, Verdict, median_lead
from alerts.backtest.study import Result, summed
from ingest.cli_support import printable
from ingest.clock import to_datetime

MINUTE = 60_000_000
MOST_LISTED = 20  # of missed crossings and false alarms, on a screen
Cell = Callable[[Card], float | None]

# Column, what it shows of a card, and how many digits; None is not said.
COLUMNS: tuple[tuple[str, Cell, int], ...] = (
    ("alerts", lambda card: None if card.shadow else card.alerts, 0),
    ("shadow", lambda card: card.alerts if card.shadow else None, 0),
    ("hits", lambda card: None if card.truth == "none" else card.hits, 0),
    ("miss", lambda card: None if card.truth == "none" else card.misses, 0),
    ("false", lambda card: None if card.truth == "none" and not card.false else len(card.false), 0),
    ("lead", lambda card: _minutes(median_lead(card)), 0),
    ("least", lambda card: _minutes(card.leads[0] if card.leads else None), 0),
    ("flaps", lambda card: card.flaps_per_week, 2),
    ("told", lambda card: card.notifications_per_day, 2),
)


def scorecard(results: Sequence[Result]) -> Table:
    """One row for each rule; in brackets the difference to the rules in force where there is one."""
    ours, theirs = _cards(results)
    changed = any(result.cards is not result.in_force for result in results)
    what = "and in brackets the difference to the rules in force" if changed else "of the rules in force"
    caption = "lead: median and least, in minutes before the crossing; flaps a week; events told a day"
    table = Table(
        title=f"Scorecard {what}", caption=caption, box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0)
    )
    table.add_column("rule", no_wrap=True)
    for name, _, _ in COLUMNS:
        table.add_column(name, justify="right")
    for rule in dict.fromkeys([*ours, *theirs]):
        mine, other = ours.get(rule), theirs.get(rule)
        name = rule if other or not changed else f"{rule} (new)"
        name = f"{rule} (gone)" if mine is None else name
        cells = (_cell(cell, digits, mine, other if changed else None) for _, cell, digits in COLUMNS)
        table.add_row(printable(name), *cells)
    return table


def findings(results: Sequence[Result]) -> list[str]:
    """A line for each crossing that a rule on levels missed, and for each false alarm."""
    missed = [
        f"missed: {_where(verdict, result)}, by {card.rule}"
        for result in results
        for card in result.cards
        for verdict in card.verdicts
        if card.truth == "levels" and not verdict.hit
    ]
    false = [
        f"false: {card.rule} on {alert.target}, {_local(alert.event_time, _zone(result, alert.target))}"
        for result in results
        for card in result.cards
        for alert in card.false
    ]
    return [*_some(missed), *_some(false)]


def as_json(results: Sequence[Result], seconds: float) -> dict[str, Any]:
    """All of it. Times in microseconds UTC, durations in seconds."""
    ours, theirs = _cards(results)
    rows = sum(len(result.material.rows) for result in results)
    return {
        "rows": rows,
        "seconds": round(seconds, 3),
        "rules": [_card(card) for card in ours.values()],
        "in_force": [_card(card) for card in theirs.values()],
        "missed": [
            {"sentence": missed.sentence} | _verdict(missed.verdict)
            for result in results
            for missed in result.missed
        ],
        "faults": sorted({fault for result in results for fault in result.played.faults}),
    }


def _where(verdict: Verdict, result: Result) -> str:
    station = verdict.target.station.name.en
    at = _local(verdict.crossing.time, _zone(result, verdict.target.key))
    return f"{verdict.level} ({verdict.limit:g}) of {station}, {at}"


def _cards(results: Iterable[Result]) -> tuple[dict[str, Card], dict[str, Card]]:
    results = list(results)
    ours = summed(card for result in results for card in result.cards)
    theirs = summed(card for result in results for card in result.in_force)
    return {card.rule: card for card in ours}, {card.rule: card for card in theirs}


def _cell(cell: Cell, digits: int, ours: Card | None, theirs: Card | None) -> str:
    mine = None if ours is None else cell(ours)
    other = None if theirs is None else cell(theirs)
    text = "–" if mine is None else f"{mine:.{digits}f}"
    if mine is None or other is None or round(mine - other, digits) == 0:
        return text
    return f"{text} ({mine - other:+.{digits}f})"


def _card(card: Card) -> dict[str, Any]:
    median = median_lead(card)
    return {
        "rule": card.rule,
        "truth": card.truth,
        "shadow": card.shadow,
        "alerts": card.alerts,
        "hits": card.hits,
        "misses": card.misses,
        "false_alarms": len(card.false),
        "lead_median": None if median is None else median / 1e6,
        "lead_least": card.leads[0] / 1e6 if card.leads else None,
        "flaps_per_week": card.flaps_per_week,
        "notifications": card.notifications,
        "notifications_per_day": card.notifications_per_day,
        "crossings": [_verdict(verdict) for verdict in card.verdicts],
        "false": [_alert(alert) for alert in card.false],
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "datastream": verdict.target.key,
        "level": verdict.level,
        "limit": verdict.limit,
        "at": verdict.crossing.time,
        "hit": verdict.hit,
        "lead": None if verdict.lead is None else verdict.lead / 1e6,
    }


def _alert(alert: Alert) -> dict[str, Any]:
    return {"datastream": alert.target, "at": alert.event_time, "opened": alert.opened}


def _zone(result: Result, key: str) -> int:
    return result.material.shown_in[key.split("/")[0]]


def _local(time: int, zone: int) -> str:
    return f"{to_datetime(time) + timedelta(microseconds=zone):%d-%m-%Y %H:%M}"


def _minutes(lead: float | None) -> float | None:
    return None if lead is None else lead / MINUTE


def _some(lines: Sequence[str]) -> list[str]:
    more = len(lines) - MOST_LISTED
    return [*lines[:MOST_LISTED], *([f"… and {more} more like it"] if more > 0 else [])]
