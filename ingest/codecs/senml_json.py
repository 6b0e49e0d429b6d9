"""SenML in JSON (RFC 8428, application/senml+json).

Topic `senml/<gateway>/<device>` (any topic does whose levels name both). The payload is an array of records:

    [{"bn": "radar-1:", "bt": 1761570000, "n": "level", "u": "m", "v": 5.05},
     {"n": "rain", "u": "mm", "v": 12.4, "t": -300}]

Unknown fields are passed over, unless their name ends in `_`. When a key occurs twice the last one holds.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ingest.codecs.base import Address, Codec, Decode, Decoded, parse
from ingest.codecs.senml import PACK, SenmlSettings, pack_reader

_DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def _configure(settings: SenmlSettings) -> Decode:
    read = pack_reader(settings)

    def decode(address: Address, payload: bytes) -> Decoded:
        return read(address, parse(_DECODER, payload))

    return decode


CODEC = Codec(
    name="senml-json",
    version=1,
    decode=_configure(SenmlSettings()),
    auxiliary=frozenset({"battery", "rssi", "snr"}),
    documentation=f"{__doc__}{PACK}",
    settings=SenmlSettings,
    configure=_configure,
)
