"""`make bench`: how fast, how soon, at what cost; the usual Python way on the same messages in the same run.

Both consumers have a persistent session at one broker. Messages are published while nobody reads, then each
consumer drains its own copy from its own queue, so that the publisher takes no time from either. Everything
runs on this machine: broker, database, consumer. Absolute figures say as much of the machine as of us; the
ratio is what counts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy
import psycopg
from rich.console import Console
from rich.table import Table

from tests.bench import latency
from tests.bench.codecs import decode_costs
from tests.bench.history import MANY, RATE, backtest_rates, engine_costs
from tests.bench.rig import SERIES, Rig, rig
from tests.bench.sse import sse_figures

ROUNDS = 3
MESSAGES = 100_000
LIVE_RATE = 2_000
LIVE_SECONDS = 15


def main() -> None:
    """Run, print a table, and write JSON where asked."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--messages", type=int, default=MESSAGES, help="messages per round")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    console = Console()
    with rig() as bench, console.status("starting") as status:
        figures = asyncio.run(measure(bench, arguments.messages, arguments.rounds, status.update))
        status.update(f"{MANY:,} series under five rules")
        figures["engine"] = engine_costs()
        status.update("history, and the live path on the same rows")
        figures["backtest"] = backtest_rates()
        status.update("live clients of the event stream, a quarter of which never read")
        figures["sse"] = sse_figures()
    console.print(table(figures))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


async def measure(bench: Rig, messages: int, rounds: int, tell: Any) -> dict[str, Any]:
    """All figures of one run; rates are medians over the rounds."""
    ours, usual, meant = [], [], []
    for number in range(rounds):
        round_of = f"round {number + 1} of {rounds}"
        tell(f"{round_of}: publishing {messages:,} messages to two sessions")
        await bench.publish(messages, seed=number)
        tell(f"{round_of}: Huewatch drains its queue")
        ours.append(bench.drain_huewatch(messages))
        tell(f"{round_of}: the usual way drains its queue")
        usual.append(bench.drain_usual(messages))
        tell(f"{round_of}: publishing {messages:,} messages again")
        await bench.publish(messages, seed=number)
        tell(f"{round_of}: Huewatch with quality tests and derived datastreams drains its queue")
        meant.append(bench.drain_huewatch(messages, meaning=True))
        bench.drain_usual(messages)
    tell("a storm: every series rises through BĐ I and II at once")
    await bench.publish(messages, seed=rounds, storm=True)
    storm = bench.drain_huewatch(messages)
    tell(f"live: {LIVE_RATE:,} messages a second for {LIVE_SECONDS} s")
    latency, memory = await bench.live(LIVE_RATE, LIVE_SECONDS)
    tell(f"live with quality tests and derived datastreams: {LIVE_RATE:,} messages a second")
    latency_meaning, memory_meaning = await bench.live(LIVE_RATE, LIVE_SECONDS, meaning=True)
    tell(f"BĐ III crossed {latency.CROSSINGS} times under {latency.RATE:,} readings a second")
    crossing = await latency.crossings(bench)
    rate, usual_rate = (statistics.median(run.rate for run in runs) for runs in (ours, usual))
    tell("decoding the golden cases of every codec")
    return {
        "machine": machine(),
        "series": SERIES,
        "messages_per_round": messages,
        "rounds": rounds,
        "messages_per_second": rate,
        "messages_per_second_rounds": [run.rate for run in ours],
        "own_cpu_us_per_message": statistics.median(run.cpu_us for run in ours),
        "usual_way_messages_per_second": usual_rate,
        "usual_way_own_cpu_us_per_message": statistics.median(run.cpu_us for run in usual),
        "ratio_to_usual_way": statistics.median(a.rate / b.rate for a, b in zip(ours, usual, strict=True)),
        "storm_messages_per_second": storm.rate,
        "storm_own_cpu_us_per_message": storm.cpu_us,
        "with_meaning_messages_per_second": statistics.median(run.rate for run in meant),
        "with_meaning_own_cpu_us_per_message": statistics.median(run.cpu_us for run in meant),
        "ratio_with_meaning": statistics.median(a.rate / b.rate for a, b in zip(meant, ours, strict=True)),
        "decode_us_per_message": decode_costs(),
        "live_rate": LIVE_RATE,
        "publish_to_commit_ms_p50": latency[0],
        "publish_to_commit_ms_p99": latency[1],
        "resident_mb": memory,
        "with_meaning_publish_to_commit_ms_p50": latency_meaning[0],
        "with_meaning_publish_to_commit_ms_p99": latency_meaning[1],
        "with_meaning_resident_mb": memory_meaning,
        "crossing": crossing,
    }


def machine() -> dict[str, Any]:
    """What the absolute figures are worth."""
    return {
        "cores": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "psycopg": psycopg.__version__,
    }


def table(figures: dict[str, Any]) -> Table:
    """The figures for people."""
    rows = (
        ("messages/s, acknowledged after commit", f"{figures['messages_per_second']:,.0f}"),
        ("… the usual way, acknowledged on arrival", f"{figures['usual_way_messages_per_second']:,.0f}"),
        ("… ratio", f"{figures['ratio_to_usual_way']:.1f}"),
        ("own CPU per message", f"{figures['own_cpu_us_per_message']:.1f} us"),
        ("… the usual way", f"{figures['usual_way_own_cpu_us_per_message']:.1f} us"),
        (
            f"messages/s while all {SERIES:,} series raise alerts",
            f"{figures['storm_messages_per_second']:,.0f}",
        ),
        ("… own CPU per message then", f"{figures['storm_own_cpu_us_per_message']:.1f} us"),
        (
            "messages/s with quality tests and derived datastreams",
            f"{figures['with_meaning_messages_per_second']:,.0f}",
        ),
        ("… share of the rate without them", f"{figures['ratio_with_meaning']:.2f}"),
        ("… own CPU per message then", f"{figures['with_meaning_own_cpu_us_per_message']:.1f} us"),
        (f"publish to commit at {LIVE_RATE:,}/s, p50", f"{figures['publish_to_commit_ms_p50']:.1f} ms"),
        (f"publish to commit at {LIVE_RATE:,}/s, p99", f"{figures['publish_to_commit_ms_p99']:.1f} ms"),
        (f"resident memory at {SERIES:,} series", f"{figures['resident_mb']:.0f} MB"),
        (
            "with quality tests and derived datastreams, p50",
            f"{figures['with_meaning_publish_to_commit_ms_p50']:.1f} ms",
        ),
        ("… p99", f"{figures['with_meaning_publish_to_commit_ms_p99']:.1f} ms"),
        ("… resident memory", f"{figures['with_meaning_resident_mb']:.0f} MB"),
    )
    result = Table("figure", "value", title=f"Huewatch on {figures['machine']['cores']} cores")
    for name, value in (*rows, *latency.rows(figures["crossing"])):
        result.add_row(name, value)
    result.add_section()
    engine = figures["engine"]
    result.add_row(
        f"{MANY:,} series x {engine['rules']} rules: evaluations/s",
        f"{engine['evaluations_per_second']:,.0f}",
    )
    result.add_row(f"… share of one core at {RATE:,} readings/s", f"{engine['share_of_a_core']:.1%}")
    result.add_row("… the dearest second", f"{engine['worst_second']:.1%}")
    result.add_row("… memory of the engine", f"{engine['engine_mb']:.0f} MB")
    result.add_row("… with catalogue and rules", f"{engine['resident_mb']:.0f} MB")
    for case, rates in figures["backtest"].items():
        result.add_row(f"backtest of {case}: readings/s", f"{rates['readings_per_second']:,.0f}")
        result.add_row("… times as fast as the live path", f"{rates['ratio']:.0f}")
    sse = figures["sse"]
    result.add_row(
        f"commit to live clients, {sse['never_reading']} of {sse['clients']} never reading, p50",
        f"{sse['commit_to_client_ms_p50']:.0f} ms",
    )
    result.add_row("… p99", f"{sse['commit_to_client_ms_p99']:.0f} ms")
    result.add_row("… what the feed's memory grew by", f"{sse['grown_mb']:.0f} MB")
    result.add_section()
    for codec, cost in figures["decode_us_per_message"].items():
        result.add_row(f"decoding one message of {codec}", f"{cost:.1f} us")
    return result


if __name__ == "__main__":
    sys.exit(main())
