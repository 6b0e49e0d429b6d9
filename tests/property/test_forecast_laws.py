"""What holds of every forecast, whatever the water does: shift, scale, time step, no look ahead, coverage."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from alerts.forecast import lattice, model
from alerts.forecast.lattice import SPAN, Lattice, lattice_of
from alerts.forecast.model import HIGH, LOW, NOISE
from alerts.forecast.priors import PRIORS
from tests.support.floods import MINUTE, Floats, Times, flood, windows_at

SEEDS = range(12)
ROWS = SPAN // (10 * MINUTE) + 1


def lattices(seed: int, every: int = 17) -> Lattice:
    time, value = flood(seed)
    return lattice_at(time, value, np.arange(ROWS, len(time), every))


def lattice_at(time: Times, value: Floats, ends: np.ndarray) -> Lattice:
    at, level = windows_at(time, value, ends, ROWS)
    return lattice_of(at, level, np.ones(at.shape, np.bool_))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_shifted_level_shifts_the_forecast(seed: int) -> None:
    found = lattices(seed)
    plain = model.forecast(found, PRIORS)
    shifted = model.forecast(Lattice(found.origin, found.level + 60.0), PRIORS)
    np.testing.assert_allclose(shifted.expected, plain.expected + 60.0, atol=1e-6)
    np.testing.assert_allclose(shifted.quantile, plain.quantile + 60.0, atol=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_scaled_level_scales_the_forecast(seed: int) -> None:
    found = lattices(seed)
    plain = model.forecast(found, PRIORS)
    for scale in (1_000.0, 0.01):
        scaled = model.forecast(Lattice(found.origin, found.level * scale), PRIORS, NOISE * scale)
        np.testing.assert_allclose(scaled.expected, plain.expected * scale, rtol=1e-6)
        np.testing.assert_allclose(scaled.quantile, plain.quantile * scale, rtol=1e-5)


def test_a_forecast_hardly_depends_on_how_often_the_gauge_sends() -> None:
    """Every 2, 6, 10 and 14 minutes, the newest sample among them; apart only where the water just turns."""
    apart = []
    for seed in SEEDS:
        time, value = flood(seed, step=2.0, noise=0.0)
        for end in range(24 * 30, len(time), 211):
            made = [model.forecast(_every(time, value, end, stride), PRIORS) for stride in (1, 3, 5, 7)]
            width = made[0].quantile[:, :, HIGH] - made[0].quantile[:, :, LOW]
            apart += [np.abs(other.expected - made[0].expected) / width for other in made[1:]]
    shares = np.concatenate(apart).ravel()
    print(
        f"{len(shares)} forecasts, apart by {np.quantile(shares, [0.5, 0.9, 0.99]).round(3)} of the interval"
    )
    assert np.quantile(shares, 0.5) < 0.02
    assert np.quantile(shares, 0.9) < 0.1


def _every(time: Times, value: Floats, end: int, stride: int) -> Lattice:
    at, level = time[end::-stride][::-1], value[end::-stride][::-1]
    kept = at >= time[end] - SPAN
    return lattice_of(at[None, kept], level[None, kept], np.ones((1, kept.sum()), np.bool_))


Sample = Callable[[Times, Floats, np.ndarray], Lattice]  # a series and which of its samples are origins


def looks_ahead(sample: Sample, seed: int) -> bool:
    """Whether any forecast changes when what comes after its origin does, or is not there yet."""
    time, value = flood(seed)
    for end in range(ROWS, len(time) - 1, 37):
        at = np.array([end])
        honest = model.forecast(sample(time, value, at), PRIORS)
        changed = np.where(time > time[end], value + 5.0, value)
        other = model.forecast(sample(time, changed, at), PRIORS)
        if not np.array_equal(other.quantile, honest.quantile):
            return True
        cut = model.forecast(sample(time[: end + 1], value[: end + 1], at), PRIORS)
        if not np.array_equal(cut.expected, honest.expected):
            return True
    return False


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_after_the_newest_sample_takes_part(seed: int) -> None:
    assert not looks_ahead(lattice_at, seed)


def test_a_leak_of_the_future_would_be_caught() -> None:
    """Planted: of ten minutes ahead, as a smoother or an interpolation would let in."""

    def leaking(time: Times, value: Floats, ends: np.ndarray) -> Lattice:
        found = lattice_at(time, value, ends)
        ahead = value[np.minimum(ends + 1, len(value) - 1)]
        smoothed = (found.level[:, -1] + ahead) / 2
        return Lattice(found.origin, np.column_stack([found.level[:, :-1], smoothed]))

    assert looks_ahead(leaking, 3)


def test_quantiles_never_cross_and_hold_the_level_that_is_expected() -> None:
    for seed in SEEDS:
        made = model.forecast(lattices(seed), PRIORS)
        assert made.known.all()
        assert (np.diff(made.quantile, axis=2) >= 0).all()
        assert (made.quantile[:, :, -1] > made.quantile[:, :, 0]).all()


def test_the_interval_covers_what_it_says_on_water_whose_truth_is_known() -> None:
    """80 % over storms that nobody fitted anything on; the water that moves is what is judged.

    These storms end more abruptly than those of real rivers: six hours ahead the interval is too narrow.
    """
    inside: dict[float, list[np.ndarray]] = {prior.hours: [] for prior in PRIORS}
    for seed in range(40):
        time, value = flood(1_000 + seed, days=8.0)
        ends = np.arange(ROWS, len(time) - 72, 7)
        ends = ends[np.abs(value[ends] - value[ends - 6]) > 0.02]
        made = model.forecast(lattice_at(time, value, ends), PRIORS)
        for place, hours in enumerate(inside):
            came = value[ends + round(hours * 6)]
            low, high = made.quantile[:, place, LOW], made.quantile[:, place, HIGH]
            inside[hours].append((came >= low) & (came <= high))
    covered = {hours: float(np.concatenate(found).mean()) for hours, found in inside.items()}
    print(sum(map(len, inside[1.0])), {hours: round(share, 3) for hours, share in covered.items()})
    assert all(0.72 <= covered[hours] <= 0.92 for hours in (1.0, 2.0, 3.0)), covered
    assert covered[6.0] > 0.6


def test_a_gap_is_never_bridged() -> None:
    time, value = flood(5)
    end = len(time) - 1
    kept = np.ones(len(time), np.bool_)
    kept[end - 4 : end] = False  # 40 minutes without a sample before the newest
    made = model.forecast(lattice_of(time[None], value[None], kept[None]), PRIORS)
    assert not made.known.any()
    kept[end - 2] = True  # joined again: no step is longer than half an hour
    assert model.forecast(lattice_of(time[None], value[None], kept[None]), PRIORS).known.all()


def test_still_water_stays_within_what_a_gauge_wavers_by() -> None:
    level = np.full((1, lattice.STEPS + 1), 3.0)
    made = model.forecast(Lattice(np.zeros(1, np.int64), level), PRIORS)
    np.testing.assert_allclose(made.expected, 3.0)
    half = np.abs(made.quantile[:, :, [LOW, HIGH]] - 3.0)
    assert ((half >= NOISE - 1e-12) & (half < 0.1)).all()


def test_series_without_samples_have_no_forecast_and_change_no_other() -> None:
    found = lattices(2)
    alone = model.forecast(found, PRIORS)
    time = np.zeros((1, 4), np.int64)
    nothing = lattice_of(time, np.zeros((1, 4)), np.zeros((1, 4), np.bool_))
    together = Lattice(
        np.concatenate([nothing.origin, found.origin]), np.concatenate([nothing.level, found.level])
    )
    made = model.forecast(together, PRIORS)
    assert not made.known[0]
    np.testing.assert_array_equal(made.quantile[1:], alone.quantile)
