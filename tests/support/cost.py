"""What work costs in CPU, in a measure that a slow or busy machine stretches as well."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from time import process_time

from ingest.normalise import Limits

MOST_YARDS = 15  # 50 ms of a fast core, the budget of one message, where a yard takes 3.5 ms
FLAT = json.dumps(dict.fromkeys(map(str, range(Limits().max_payload // 12)), 1))


def assert_cheap(work: Callable[[], object]) -> None:
    """`work`, which is called three times, costs less than 15 yards.

    A yard is what `json.loads` costs at that moment for a flat object about as long as a message may be.
    """
    cost, yard = cpu_seconds(work), cpu_seconds(lambda: json.loads(FLAT))
    assert cost < MOST_YARDS * yard, f"{cost / yard:.1f} yards of {yard * 1000:.1f} ms"


def cpu_seconds(work: Callable[[], object]) -> float:
    """Of one call, the least of three, without a look through what other tests left in memory."""
    times: list[float] = []
    gc.disable()
    try:
        for _ in range(3):
            started = process_time()
            work()
            times.append(process_time() - started)
    finally:
        gc.enable()
    return min(times)
