"""The rule kinds, each in its own file: settings, plan, lint and signal.

A kind is registered here and nowhere else; `huewatch check` and config/README.md ask this registry.
"""

from alerts.rules import (
    accumulation,
    compound,
    flat_line,
    index,
    rate,
    saturation,
    silence,
    threshold,
    time_to_level,
)
from alerts.rules.kind import Kind

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        threshold.KIND,
        rate.KIND,
        accumulation.KIND,
        index.KIND,
        saturation.KIND,
        flat_line.KIND,
        silence.KIND,
        time_to_level.KIND,
        compound.KIND,
    )
}
