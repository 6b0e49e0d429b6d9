"""Which series are looked at together: a neighbour that confirms another, the members of a compound. Pure.

Rows of linked series are judged in their order, one at a time: `group` numbers what hangs together. Built
once for the rules of an engine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerts.rules.compound import Settings as CompoundSettings
from alerts.rules.kind import micros
from alerts.rules.table import RuleTable
from alerts.sight import NO_DATA_AT_LEAST_S, NO_DATA_CADENCES

Place = tuple[int, int]  # a table and a pair in it


@dataclass(frozen=True, slots=True)
class Member:
    """One condition that a compound looks at: it is so while that stands at `rank` or higher, and unknown
    where it does not and its series has been silent for longer than `silent_after` (microseconds)."""

    rule: int
    pair: int
    rank: int
    name: str
    silent_after: int


@dataclass(frozen=True, slots=True)
class Compound:
    """A compound at one of its targets; `series` go with `members`, of which `needed` must be so."""

    rule: int
    pair: int
    members: tuple[Member, ...]
    series: NDArray[np.int64]
    needed: int


@dataclass(frozen=True, slots=True)
class Links:
    """`group` (per series), `member` (per series): whether a compound looks at it; `compounds` by series;
    `neighbours` by (table, pair): the same rule's places at its neighbours."""

    group: NDArray[np.int64]
    member: NDArray[np.bool_]
    every_compound: tuple[Compound, ...]
    compounds: dict[int, list[Compound]]
    neighbours: dict[Place, list[Place]]

    @property
    def any(self) -> bool:
        """Whether anything is linked at all."""
        return bool(self.compounds or self.neighbours)

    @classmethod
    def of(cls, tables: Sequence[RuleTable], series: int) -> Links:
        """The links of some tables over so many series; `ValueError` for a member that no table holds."""
        places = {
            (table.rule.id, key): (n, pair)
            for n, table in enumerate(tables)
            for key, pair in table.pairs.items()
        }
        group = _Groups(series)
        compounds: dict[int, list[Compound]] = defaultdict(list)
        every = _compounds(tables, places)
        for compound in every:
            group.join([*compound.series.tolist(), int(tables[compound.rule].series[compound.pair])])
            for each in np.unique(compound.series).tolist():
                compounds[each].append(compound)
        neighbours = _neighbours(tables, places)
        for place, others in neighbours.items():
            group.join([int(tables[rule].series[pair]) for rule, pair in (place, *others)])
        member = np.zeros(series, np.bool_)
        member[list(compounds)] = True
        return cls(group.numbers(), member, tuple(every), dict(compounds), neighbours)


def _compounds(tables: Sequence[RuleTable], places: dict[tuple[str, str], Place]) -> list[Compound]:
    found = []
    for number, table in enumerate(tables):
        settings = table.rule.settings
        if isinstance(settings, CompoundSettings):
            found += [
                _compound(tables, places, settings, (number, pair)) for pair in range(len(table.targets))
            ]
    return found


def _compound(
    tables: Sequence[RuleTable], places: dict[tuple[str, str], Place], settings: CompoundSettings, at: Place
) -> Compound:
    key = tables[at[0]].targets[at[1]].key
    members, series = [], []
    for wanted in settings.of:
        target = wanted.target or key
        if (wanted.rule, target) not in places:
            raise ValueError(f"{settings.id} looks at {wanted.rule} of {target}, which does not watch that")
        rule, other = places[wanted.rule, target]
        members.append(_member(tables[rule], rule, other, wanted.level))
        series.append(int(tables[rule].series[other]))
    return Compound(*at, tuple(members), np.array(series), settings.needed)


def _member(table: RuleTable, rule: int, pair: int, level: str | None) -> Member:
    bands = sorted(table.plans[pair].bands, key=lambda band: band.rank)
    band = next((band for band in bands if level in (None, band.name)), None)
    target = table.targets[pair]
    if band is None:
        raise ValueError(f"{table.rule.id} has no level {level!r} at {target.key}")
    silent_after = max(NO_DATA_CADENCES * target.datastream.cadence, NO_DATA_AT_LEAST_S)
    return Member(rule, pair, band.rank, f"{target.key} {band.name}", micros(silent_after))


def _neighbours(
    tables: Sequence[RuleTable], places: dict[tuple[str, str], Place]
) -> dict[Place, list[Place]]:
    found = {}
    for number, table in enumerate(tables):
        for pair, (target, plan) in enumerate(zip(table.targets, table.plans, strict=True)):
            keys = target.datastream.neighbours if plan.neighbours else ()
            others = [places[table.rule.id, key] for key in keys if (table.rule.id, key) in places]
            if others:
                found[number, pair] = others
    return found


class _Groups:
    """Series that hang together, as the smallest of them (union-find)."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def join(self, series: Sequence[int]) -> None:
        for other in series[1:]:
            first, second = sorted((self._root(series[0]), self._root(other)))
            self._parent[second] = first

    def numbers(self) -> NDArray[np.int64]:
        return np.array([self._root(each) for each in range(len(self._parent))], np.int64)

    def _root(self, each: int) -> int:
        while self._parent[each] != each:
            self._parent[each] = self._parent[self._parent[each]]
            each = self._parent[each]
        return each
