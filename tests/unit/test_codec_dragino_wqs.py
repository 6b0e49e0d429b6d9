"""WQS-LB frames do not name their firmware: for every set of probes the length alone must tell."""

from __future__ import annotations

from itertools import combinations

import pytest

from ingest.codecs import Undecodable
from ingest.codecs.dragino_wqs import WQS_LB

WARM = {5: 2, 4: 4, 3: 2, 2: 4, 1: 4, 0: 4}  # bytes of a probe from firmware 1.2 on, by its bit
LATER = {**WARM, 6: 2, 7: 2, 8: 7, 9: 4, 10: 4}
EARLY = dict.fromkeys(WARM, 2)


def frames(sizes: dict[int, int], header: int, interrupt: int) -> list[bytes]:
    """A frame of each set of up to three probes, with and without the interrupt bit."""
    sets = [bits for count in range(4) for bits in combinations(sizes, count)]
    return [
        bytes(4)
        + (sum(1 << bit for bit in bits) | flag).to_bytes(header)
        + bytes(sum(sizes[b] for b in bits))
        for bits in sets
        for flag in (0, interrupt)
    ]


@pytest.mark.parametrize(
    ("sizes", "header", "interrupt"), [(EARLY, 1, 1 << 7), (WARM, 1, 1 << 7), (LATER, 2, 1 << 11)]
)
def test_every_set_of_three_probes_is_read_by_its_own_firmware_alone(
    sizes: dict[int, int], header: int, interrupt: int
) -> None:
    for frame in frames(sizes, header, interrupt):
        values = WQS_LB.frame(frame)
        probes = (int.from_bytes(frame[4 : 4 + header]) & ~interrupt).bit_count()
        named = [value.channel for value in values[2:] if not value.channel.endswith("_temperature")]
        assert len([channel for channel in named if channel != "salinity"]) == probes, frame.hex()


@pytest.mark.parametrize("length", range(5))
def test_a_frame_without_its_bitmap_is_refused(length: int) -> None:
    with pytest.raises(Undecodable):
        WQS_LB.frame(bytes(length))
