"""The house's laws over its syntax trees: who may import whom, and who may read a clock or roll dice."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("ingest", "alerts", "simulators")
FILES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))

FORBIDDEN_PACKAGES = {
    "ingest": ("alerts", "simulators", "huewatch"),
    "alerts": ("simulators", "huewatch"),
    "simulators": ("alerts", "huewatch"),
}
# What the simulators may share with the system that they test: shared code would hide shared bugs.
SHARED_WITH_SIMULATORS = {"ingest.catalog", "ingest.clock", "ingest.model.Nature"}

# Packages and modules that do no I/O: sockets, files, databases, threads and clocks are outside them.
PURE = (
    "alerts/tiles.py",
    "ingest/adoption.py",
    "ingest/bursts.py",
    "ingest/codecs",
    "ingest/derive",
    "ingest/device_clock.py",
    "ingest/explain.py",
    "ingest/installation.py",
    "ingest/memory.py",
    "ingest/normalise.py",
    "ingest/pending.py",
    "ingest/polygon.py",
    "ingest/quality",
    "ingest/refine.py",
    "ingest/routing.py",
    "ingest/series.py",
    "ingest/staff_check.py",
    "ingest/store/classify.py",
    "ingest/topics.py",
    "ingest/units.py",
    "ingest/model.py",
    "alerts/access.py",
    "alerts/api/conditional.py",
    "alerts/cap/approval.py",
    "alerts/cap/document.py",
    "alerts/cap/feed.py",
    "alerts/cap/hazard.py",
    "alerts/cap/lint.py",
    "alerts/cap/message.py",
    "alerts/cap/renewal.py",
    "alerts/cap/words.py",
    "alerts/changed.py",
    "alerts/compounds.py",
    "alerts/account.py",
    "alerts/approval.py",
    "alerts/condition.py",
    "alerts/covering.py",
    "alerts/delivery_plan.py",
    "alerts/engine.py",
    "alerts/episode.py",
    "alerts/evaluation.py",
    "alerts/events.py",
    "alerts/handling.py",
    "alerts/handover.py",
    "alerts/handover_words.py",
    "alerts/forecast/drawing.py",
    "alerts/forecast/gates.py",
    "alerts/forecast/lattice.py",
    "alerts/forecast/model.py",
    "alerts/forecast/outlook.py",
    "alerts/forecast/passing.py",
    "alerts/forecast/priors.py",
    "alerts/forecast/records.py",
    "alerts/forecast/skill.py",
    "alerts/forecast/slots.py",
    "alerts/forecast/tracker.py",
    "alerts/forecast/words.py",
    "alerts/headline.py",
    "alerts/judge_state.py",
    "alerts/links.py",
    "alerts/judged.py",
    "alerts/judging.py",
    "alerts/model.py",
    "alerts/receivers/address.py",
    "alerts/receivers/letter.py",
    "alerts/receivers/wants.py",
    "alerts/reminder_rounds.py",
    "alerts/rule_test.py",
    "alerts/rules",
    "alerts/sight.py",
    "alerts/staging.py",
    "alerts/station_view.py",
    "alerts/suppression.py",
    "alerts/ticks.py",
    "alerts/trend.py",
    "alerts/unanswered.py",
    "alerts/tries.py",
    "alerts/verdicts.py",
    "alerts/watching.py",
    "alerts/wire.py",
    "simulators/faults.py",
    "simulators/judge.py",
    "simulators/plan.py",
    "simulators/truth.py",
    "simulators/world.py",
)
IMPURE_MODULES = {
    "aiomqtt", "asyncio", "fastapi", "http.client", "logging", "paho", "psycopg_pool", "socket", "subprocess",
    "threading", "typer", "urllib.request", "uvicorn",
}  # fmt: skip
CLOCK_OWNER = "ingest/clock.py"
WALL_CLOCKS = {
    "time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.strftime",
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
}  # fmt: skip
MONOTONIC_CLOCKS = {
    "time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.perf_counter_ns", "time.process_time",
}  # fmt: skip
CHILD_KEEPERS = {
    "ingest/embedded.py",
    "ingest/embedded_server.py",
}  # wait for child processes in real time, and decide nothing on data
RANDOM_IDS = {"uuid.uuid1", "uuid.uuid4", "os.urandom"}
SEEDED = {"random.Random", "random.SystemRandom"}  # generators that are passed on, not the module's own
NUMPY_SEEDED = {"default_rng", "Generator", "SeedSequence", "PCG64", "BitGenerator"}


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, full dotted name) of everything imported, names inside modules included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def aliases(tree: ast.AST) -> dict[str, str]:
    """What each imported local name stands for."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                head = alias.name.partition(".")[0]
                known[alias.asname or head] = alias.name if alias.asname else head
        elif isinstance(node, ast.ImportFrom):
            known |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return known


def uses(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, full dotted name) of every attribute or name that leads back to an import."""
    known = aliases(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            dotted = ast.unparse(node)
            head, _, rest = dotted.partition(".")
            if head in known:
                yield node.lineno, f"{known[head]}.{rest}".rstrip(".")


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def import_faults(file: str, tree: ast.AST) -> list[str]:
    package = file.partition("/")[0]
    faults = []
    for line, name in imports(tree):
        if any(within(name, forbidden) for forbidden in FORBIDDEN_PACKAGES[package]):
            faults.append(f"{file}:{line} imports {name}")
        elif package == "simulators" and within(name, "ingest"):
            allowed = any(within(name, shared) for shared in SHARED_WITH_SIMULATORS)
            if not allowed:
                faults.append(f"{file}:{line} imports {name}")
    return faults


def clock_faults(file: str, tree: ast.AST) -> list[str]:
    found = []
    for line, name in uses(tree):
        wall = name in WALL_CLOCKS
        monotonic = name in MONOTONIC_CLOCKS and file not in CHILD_KEEPERS
        if (wall or monotonic) and file != CLOCK_OWNER:
            found.append(f"{file}:{line} reads a clock: {name}")
        if name in RANDOM_IDS:
            found.append(f"{file}:{line} makes a random id: {name}")
        if within(name, "random") and name != "random" and name not in SEEDED:
            found.append(f"{file}:{line} uses the module's own randomness: {name}")
        if within(name, "numpy.random") and not set(name.split(".")[2:3]) <= NUMPY_SEEDED:
            found.append(f"{file}:{line} uses the module's own randomness: {name}")
    return found


def purity_faults(file: str, tree: ast.AST) -> list[str]:
    if not any(file == pure or file.startswith(pure + "/") for pure in PURE):
        return []
    faults = [
        f"{file}:{n} imports {m}" for n, m in imports(tree) if any(within(m, i) for i in IMPURE_MODULES)
    ]
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = [call for call in called if isinstance(call, ast.Name) and call.id in ("open", "print", "input")]
    return faults + [f"{file}:{call.lineno} calls {call.id}" for call in names]


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_every_module_keeps_the_laws(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    name = name_of(file)
    assert import_faults(name, tree) + clock_faults(name, tree) + purity_faults(name, tree) == []


def test_every_pure_place_exists() -> None:
    assert [pure for pure in PURE if not (ROOT / pure).exists()] == []


def test_every_package_was_looked_at() -> None:
    assert {name_of(file).partition("/")[0] for file in FILES} == set(PACKAGES)
    assert len(FILES) > 20


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("ingest/pipeline.py", "import alerts"),
        ("ingest/pipeline.py", "from alerts.engine import Engine"),
        ("ingest/pipeline.py", "def f():\n    import simulators.world"),
        ("alerts/engine.py", "from simulators import world"),
        ("simulators/world.py", "from ingest.normalise import level"),
        ("simulators/world.py", "from ingest import quality"),
        ("simulators/truth.py", "from alerts.rules import threshold"),
    ],
)
def test_a_forbidden_import_is_found(file: str, source: str) -> None:
    assert len(import_faults(file, ast.parse(source))) == 1


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("alerts/engine.py", "from ingest.model import Changes"),
        ("simulators/world.py", "from ingest.catalog import Catalogue\nimport ingest.clock"),
        ("ingest/mqtt.py", "import alertsomething"),
    ],
)
def test_an_allowed_import_is_let_pass(file: str, source: str) -> None:
    assert import_faults(file, ast.parse(source)) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.time()",
        "from time import time_ns\ntime_ns()",
        "import time as t\nt.monotonic()",
        "from datetime import datetime\ndatetime.now(UTC)",
        "import datetime\ndatetime.datetime.utcnow()",
        "from uuid import uuid4\nuuid4()",
        "import uuid\nuuid.uuid4()",
        "import random\nrandom.random()",
        "from random import choice\nchoice('ab')",
        "import numpy as np\nnp.random.normal()",
        "from numpy import random\nrandom.normal()",
        "clock = Clock\nimport time\nfield(default=time.monotonic)",
    ],
)
def test_a_clock_or_dice_are_found(source: str) -> None:
    assert clock_faults("alerts/engine.py", ast.parse(source)) != []


@pytest.mark.parametrize(
    "source",
    [
        "from random import Random\ndef f(r: Random) -> float:\n    return r.random()",
        "import random\nr = random.Random(7)",
        "import numpy as np\nr = np.random.default_rng(7)",
        "from numpy.random import Generator, default_rng\nr = default_rng(7)",
        "from uuid import uuid5\nuuid5(N, 'x')",
        "from datetime import UTC, datetime\ndatetime.fromtimestamp(3, UTC)",
        "def f(clock):\n    return clock.now()",
    ],
)
def test_seeded_dice_and_given_clocks_are_let_pass(source: str) -> None:
    assert clock_faults("alerts/engine.py", ast.parse(source)) == []


@pytest.mark.parametrize("source", ["import socket", "from subprocess import run", "open('x')", "print(1)"])
def test_input_and_output_are_found_in_a_pure_module(source: str) -> None:
    assert purity_faults("ingest/codecs/new.py", ast.parse(source)) != []
    assert purity_faults("ingest/mqtt.py", ast.parse(source)) == []
