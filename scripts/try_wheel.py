"""Whether an installed wheel is whole: run by its own Python, outside the source tree.

The tests run on the tree, so only this finds a file that the wheel has forgotten.
"""

import importlib
import io
import pkgutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

PACKAGES = ("ingest", "alerts", "simulators", "huewatch_config")
DATA = {
    "huewatch_config": ["mosquitto/mosquitto.conf", "mosquitto/services.acl", "mosquitto/gateways.acl"],
    "ingest.store": ["migrations"],
    "alerts": ["migrations", "console"],
    "alerts.cap": ["cap12.rng"],
}


def main() -> int:
    """Import every module, look for every kind of data, start a server; 0 when all is there."""
    here = Path(sys.prefix).resolve()
    for package in map(importlib.import_module, PACKAGES):
        assert Path(next(iter(package.__path__))).resolve().is_relative_to(here), package.__path__
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    missing = [f"{p}: {n}" for p, names in DATA.items() for n in names if not _holds(p, n)]
    print("missing from the wheel:", ", ".join(missing) or "nothing")
    _use_libraries()
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        _start_servers(Path(name))
    return len(missing)


def _holds(package: str, name: str) -> bool:
    found = files(package).joinpath(name)
    return any(found.iterdir()) if found.is_dir() else found.is_file()


def _use_libraries() -> None:
    """What `scripts/trim` may not take away."""
    import matplotlib.figure
    import pyarrow
    import pyarrow.parquet
    import scipy.interpolate

    parquet = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"value": [1.0, 2.0]}), parquet)
    assert pyarrow.parquet.read_table(parquet).num_rows == 2
    assert scipy.interpolate.PchipInterpolator([0, 1, 2], [0, 1, 4])(1) == 1
    matplotlib.figure.Figure().savefig(io.BytesIO(), format="svg")
    assert files("plotly").joinpath("package_data", "plotly.min.js").is_file()


def _start_servers(folder: Path) -> None:
    from ingest.embedded import EmbeddedBroker, EmbeddedPostgres

    with EmbeddedPostgres(folder / "postgres"), EmbeddedBroker(folder / "mosquitto"):
        print("embedded PostgreSQL and mosquitto start from the wheel")


if __name__ == "__main__":
    sys.exit(main())
