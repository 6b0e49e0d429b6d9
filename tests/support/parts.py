"""Real parts that a test needs: found, or the test skips and says why; under REQUIRE=all it fails instead."""

import os
import shutil
from typing import NoReturn

import pytest

REQUIRE = "HUEWATCH_TEST_REQUIRE"
TIMESCALEDB = {
    "timescaledb-apache": "HUEWATCH_TEST_TIMESCALEDB_URL",
    "timescaledb-community": "HUEWATCH_TEST_TIMESCALEDB_TSL_URL",
}
# The Community edition comes as a container image only, which not every machine can run; tests meet it where
# its variable is set.
OPTIONAL = {"timescaledb-community"}


def missing(part: str, remedy: str) -> NoReturn:
    """End the test for want of `part`: skipped on a person's machine, failed where every part is required."""
    if os.environ.get(REQUIRE) == "all":
        pytest.fail(f"{part} is required here and missing: {remedy}", pytrace=False)
    pytest.skip(f"{part} is missing: {remedy}")


def need_program(name: str, package: str) -> str:
    """The path of a program; without it `missing`."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    return found or missing(name, f"apt-get install {package}")
