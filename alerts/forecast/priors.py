"""The priors that are shipped: one for each horizon, fitted on other rivers than those that score them.

`skill.fit` over 88 month-long series of 10 rivers of Occitanie in the floods of January, April-May and
September 2020 (Aude, Cèze, Gardons and Gard, Grand Hers, Hérault, Orb, Orbieu, Tech; Hub'Eau, Licence
Ouverte 2.0, as kept in kalisio/water-level-forecasting): every 10 or 15 min series there that rises by 0.6 m
or more within 12 hours, but those of the Agly. Neither the Agly nor Dead Run took part.
"""

from __future__ import annotations

from alerts.forecast.model import DOUBT, Prior

TRUST, SHARPNESS = 1, 16

PRIORS: tuple[Prior, ...] = (
    Prior(
        1.0,
        TRUST,
        SHARPNESS,
        DOUBT,
        (
            (-1.47, -0.69, -0.35, -0.13, 0.02, 0.18, 0.37, 0.6, 0.96, 2.04),
            (-1.94, -1.04, -0.66, -0.4, -0.19, 0.0, 0.19, 0.46, 0.93, 2.17),
        ),
    ),
    Prior(
        2.0,
        TRUST,
        SHARPNESS,
        DOUBT,
        (
            (-1.7, -0.79, -0.42, -0.18, 0.0, 0.17, 0.38, 0.65, 1.11, 2.37),
            (-2.3, -1.19, -0.74, -0.45, -0.21, 0.02, 0.25, 0.59, 1.18, 3.04),
        ),
    ),
    Prior(
        3.0,
        TRUST,
        SHARPNESS,
        DOUBT,
        (
            (-1.85, -0.87, -0.48, -0.22, -0.02, 0.17, 0.4, 0.69, 1.15, 2.51),
            (-2.55, -1.27, -0.78, -0.47, -0.22, 0.03, 0.3, 0.7, 1.41, 3.93),
        ),
    ),
    Prior(
        6.0,
        TRUST,
        SHARPNESS,
        DOUBT,
        (
            (-2.45, -1.13, -0.63, -0.32, -0.07, 0.17, 0.43, 0.75, 1.29, 3.06),
            (-3.24, -1.53, -0.92, -0.55, -0.24, 0.07, 0.44, 1.0, 2.03, 6.99),
        ),
    ),
    Prior(
        12.0,
        TRUST,
        SHARPNESS,
        DOUBT,
        (
            (-3.67, -1.62, -0.93, -0.48, -0.14, 0.16, 0.48, 0.85, 1.44, 3.71),
            (-4.3, -1.91, -1.16, -0.69, -0.28, 0.17, 0.74, 1.61, 3.54, 17.47),
        ),
    ),
)
HOURS = tuple(prior.hours for prior in PRIORS)
LONGEST = HOURS[-1]  # hours; nothing is said of what comes later (domain: a projection is capped at 12 h)
