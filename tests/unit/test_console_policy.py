"""What the console may load, and that plotly.js asks for no more than that."""

import re

from alerts.api.pages import charts, console_files
from alerts.api.security import policy
from alerts.tiles import Tiles


def test_tiles_open_the_policy_to_pictures_of_one_server_and_to_nothing_else() -> None:
    tiles = Tiles("https://tiles.example.vn:8443/{z}/{x}/{y}.png")
    before, after = policy().split("; "), policy(tiles).split("; ")
    changed = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
    assert changed == [("img-src 'self' data:", "img-src 'self' data: https://tiles.example.vn:8443")]


def test_plotly_is_kept_from_the_style_sheets_that_it_would_write() -> None:
    """Its own has an external one in its place; that of its tile maps an element with its id."""
    bundle = charts().body.decode()
    assert set(re.findall(r'getElementById\("([0-9a-f]{64})"\)', bundle)) == {
        *re.findall(r'"([0-9a-f]{64})"', console_files()["plot.js"].body.decode())
    }
    assert ".no-inline-styles" in bundle
    page = console_files()["index.html"].body.decode()
    assert 'id="plotly.js-style-global" class="no-inline-styles"' in page
