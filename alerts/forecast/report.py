"""The table of forecast skill: from histories to scores, and to markdown and JSON.

Reads the files that it is given and nothing else. Flags are those that the quality tests give at arrival, as
in the service; what they let through and yet stands alone is left out as a glitch. Called by the command
line and by tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np

from alerts.forecast import skill
from alerts.forecast.model import MODEL, VERSION, Prior
from alerts.forecast.outlook import INPUTS
from alerts.forecast.priors import PRIORS
from alerts.forecast.skill import SCORED, Origins, Score, Series
from alerts.history import History, observations, read_history
from alerts.rules.quantity import METRES
from ingest.catalog import Datastream
from ingest.quality.appraiser import Appraiser
from ingest.yaml_lines import ConfigError, Problem

STILL, LINE, STATED, CHOSEN, OURS, SHIPPED = (
    "persistence",
    "straight line",
    "damped trend, 0.9",
    "damped trend, chosen",
    "ours",
    "ours, as shipped",
)
DECISIVE = (OURS, SHIPPED)


@dataclass(frozen=True, slots=True)
class Gauge:
    """What one series came to: `scores` by model and horizon, and what the other rivers chose for it."""

    series: Series
    origins: int
    floods: int
    factor: float
    trust: float
    sharpness: float
    scores: Mapping[tuple[str, float], Score]


@dataclass(frozen=True, slots=True)
class Report:
    """All series of one run."""

    gauges: tuple[Gauge, ...]

    @property
    def models(self) -> list[str]:
        return list(dict.fromkeys(model for model, _ in self.gauges[0].scores))

    def mean(self, model: str, hours: float) -> float:
        """The mean over the series of a model's error over persistence's."""
        return float(np.mean([gauge.scores[model, hours].ratio for gauge in self.gauges]))

    def pooled(self, model: str, hours: float) -> float:
        """The share of all origins at which the truth lay in the model's interval."""
        scores = [gauge.scores[model, hours] for gauge in self.gauges]
        inside = sum((score.coverage or 0.0) * score.origins for score in scores)
        return inside / sum(score.origins for score in scores)

    def as_json(self) -> dict[str, Any]:
        """All of it, for programs."""
        return {
            "model": f"{MODEL} {VERSION}",
            "hours": list(SCORED),
            "series": [_gauge_json(gauge) for gauge in self.gauges],
            "mean_ratio": {
                model: {f"{h:g}": round(self.mean(model, h), 4) for h in SCORED} for model in self.models
            },
            "pooled_coverage": {
                model: {f"{h:g}": round(self.pooled(model, h), 4) for h in SCORED} for model in DECISIVE
            },
        }


def gauges(files: Iterable[Path], config: Path | Traversable) -> list[Series]:
    """The gauges of histories, in metres, without what is flagged and without glitches; `ConfigError`."""
    return [series for file in files for series in _series(read_history(file, config))]


def judged(every: Sequence[Series], told: Callable[[str], None]) -> Report:
    """Score all models on all series. `told` hears of each part that is done."""
    origins = [skill.origins_of(series) for series in every]
    told("origins found")
    found = []
    for one in origins:
        others = [other for other in origins if other.series.river != one.series.river]
        found.append(_judge(one, others))
        told(f"{one.series.key} scored")
    return Report(tuple(found))


def markdown(report: Report) -> str:
    """The tables, for people."""
    head = "| series | river | origins | floods | model | " + " | ".join(f"{h:g} h" for h in SCORED) + " |"
    lines = [head, "|" + "---|" * (5 + len(SCORED))]
    for gauge in report.gauges:
        for model in report.models:
            ratios = " | ".join(f"{gauge.scores[model, h].ratio:.2f}" for h in SCORED)
            name = f"{gauge.series.key} | {gauge.series.river} | {gauge.origins} | {gauge.floods}"
            lines.append(f"| {name} | {_chosen(gauge, model)} | {ratios} |")
    for model in report.models:
        means = " | ".join(f"**{report.mean(model, h):.2f}**" for h in SCORED)
        lines.append(f"| **mean** | | | | {model} | {means} |")
    lines += ["", "Coverage of the 80 % interval, and its mean width:", ""]
    lines += [
        "| series | model | " + " | ".join(f"{h:g} h" for h in SCORED) + " |",
        "|" + "---|" * (2 + len(SCORED)),
    ]
    for model in DECISIVE:
        for gauge in report.gauges:
            cells = " | ".join(_interval(gauge.scores[model, h]) for h in SCORED)
            lines.append(f"| {gauge.series.key} | {model} | {cells} |")
        pooled = " | ".join(f"**{report.pooled(model, h):.0%}**" for h in SCORED)
        lines.append(f"| **pooled** | {model} | {pooled} |")
    return "\n".join(lines) + "\n"


def _series(history: History) -> list[Series]:
    keys = [key for key, _, stream in history.catalogue.datastreams() if key in history.readings]
    ids = {key: number for number, key in enumerate(keys, 1)}
    batch = observations([history], ids)
    streams = {key: (station, stream) for key, station, stream in history.catalogue.datastreams()}
    appraiser = Appraiser([(ids[key], key, streams[key][1]) for key in keys], {})
    quality = appraiser.evaluate(batch).quality
    found = []
    for key in keys:
        station, stream = streams[key]
        rows = np.flatnonzero((batch.datastream == ids[key]) & np.isin(quality, INPUTS))
        rows = rows[np.argsort(batch.time[rows], kind="stable")]
        metres = batch.value[rows] * _metres(history.file, key, stream)
        time, value = skill.without_glitches(batch.time[rows], metres)
        levels = tuple(level.value * _metres(history.file, key, stream) for level in stream.levels)
        river = station.river.en if station.river else station.id
        found.append(Series(station.id, river, time, value, levels))
    return found


def _metres(file: str, key: str, stream: Datastream) -> float:
    if stream.unit not in METRES:
        message = f"{key} is in {stream.unit!r}, which is no height."
        raise ConfigError([Problem(file, None, message, "Give forecast-skill histories of water levels.")])
    return METRES[stream.unit]


def _judge(origins: Origins, others: Sequence[Origins]) -> Gauge:
    """The scores of one series; without another river the stated factor and the shipped priors serve."""
    factor = skill.choose_factor(others) if others else skill.PER_STEP
    priors = skill.fit(others) if others else _shipped()
    models = {
        STILL: skill.persistence,
        LINE: skill.line,
        STATED: skill.damped(skill.PER_STEP),
        CHOSEN: skill.damped(factor),
    }
    scores = {
        (name, hours): skill.score(origins, hours, levels(origins, hours))
        for name, levels in models.items()
        for hours in SCORED
    }
    for name, own in ((OURS, priors), (SHIPPED, _shipped())):
        scores |= {(name, prior.hours): skill.score_ours(origins, prior.hours, prior) for prior in own}
    floods = len(skill.floods(origins.series))
    first = priors[0]
    return Gauge(origins.series, len(origins.lattice), floods, factor, first.trust, first.sharpness, scores)


def _shipped() -> tuple[Prior, ...]:
    return tuple(prior for prior in PRIORS if prior.hours in SCORED)


def _chosen(gauge: Gauge, model: str) -> str:
    if model == CHOSEN:
        return f"{model} ({gauge.factor:g})"
    return f"{model} (trust {gauge.trust:g}, power {gauge.sharpness:g})" if model == OURS else model


def _interval(score: Score) -> str:
    assert score.coverage is not None
    assert score.width is not None
    return f"{score.coverage:.0%}, {score.width:.2f} m"


def _gauge_json(gauge: Gauge) -> dict[str, Any]:
    scores = [
        {
            "model": model,
            "hours": hours,
            "origins": score.origins,
            "error": round(score.error, 5),
            "ratio": round(score.ratio, 4),
            "coverage": None if score.coverage is None else round(score.coverage, 4),
            "width": None if score.width is None else round(score.width, 4),
        }
        for (model, hours), score in gauge.scores.items()
    ]
    return {
        "key": gauge.series.key,
        "river": gauge.series.river,
        "origins": gauge.origins,
        "floods": gauge.floods,
        "chosen": {"factor": gauge.factor, "trust": gauge.trust, "sharpness": gauge.sharpness},
        "scores": scores,
    }
