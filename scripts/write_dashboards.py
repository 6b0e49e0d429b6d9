"""Write the dashboards of monitoring/grafana/dashboards: `python scripts/write_dashboards.py`.

Grafana's JSON is long and says everything many times; here each panel is said once: what it shows, why one
looks at it, the unit, and the queries. A test keeps the files true.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "monitoring" / "grafana" / "dashboards"
SOURCE = {"type": "prometheus", "uid": "prometheus"}
COLUMNS = 24  # of Grafana's grid
HEIGHTS = {"stat": 4, "timeseries": 8, "table": 8}
ON_OFF = [
    {
        "type": "value",
        "options": {"0": {"text": "NO", "color": "red"}, "1": {"text": "yes", "color": "green"}},
    }
]


@dataclass(frozen=True)
class Panel:
    """One picture. `queries`: legend -> PromQL; `width` in 24ths of a row; `unit` as Grafana names it."""

    title: str
    description: str
    unit: str
    queries: Mapping[str, str]
    kind: str = "timeseries"
    width: int = 12


def _state(title: str, description: str, query: str) -> Panel:
    return Panel(title, description, "bool_yes_no", {title: query}, "stat", 4)


OPERATION = (
    _state("run ready", "`/readyz` of run: connected, committing, seeing.", 'huewatch_ready{job="run"}'),
    _state(
        "feed ready", "`/readyz` of feed: it can see, and reaches a receiver.", 'huewatch_ready{job="feed"}'
    ),
    _state(
        "sighted", "Readings reach us unhindered. Without sight no silence is judged.", "huewatch_sighted"
    ),
    _state("broker", "run is connected to the broker.", "huewatch_broker_connected"),
    _state("database", "The feed can read the database.", "huewatch_feed_database_up"),
    _state("states known", "0: every state of the feed reads unknown.", "huewatch_feed_can_see"),
    Panel(
        "Alerts about ourselves",
        "What Prometheus judges of us; docs/runbook.md says what to do; the watchdog is always there.",
        "none",
        {"{{alertname}} {{severity}}": 'ALERTS{alertstate="firing", alertname=~"Huewatch.+"}'},
        "table",
    ),
    Panel(
        "Open alerts by severity",
        "What the city is being warned of, as the feed counts it every 15 s.",
        "none",
        {"{{severity}}": "huewatch_open_alerts"},
    ),
    Panel(
        "Readings stored",
        "By what became of them. Duplicates after a reconnect are normal, conflicts are not.",
        "reqps",
        {"{{outcome}}": "rate(huewatch_readings_total[5m])"},
    ),
    Panel(
        "Age of the last commit",
        "run commits each second, readings or not. Above 60 s everything reads unknown.",
        "s",
        {
            "run": "time() - huewatch_last_commit_timestamp_seconds",
            "as the feed sees it": "huewatch_feed_as_of_age_seconds",
        },
    ),
    Panel(
        "Duration of a commit",
        "From the first look at a batch to its COMMIT. What waits meanwhile is the next batch.",
        "s",
        {
            "p50": "histogram_quantile(0.5, sum by (le) (rate(huewatch_commit_seconds_bucket[5m])))",
            "p99": "histogram_quantile(0.99, sum by (le) (rate(huewatch_commit_seconds_bucket[5m])))",
        },
    ),
    Panel(
        "Messages in a batch",
        "Batches grow when readings come faster than commits: this is how run keeps up.",
        "none",
        {
            "mean": "rate(huewatch_batch_messages_sum[5m]) / rate(huewatch_batch_messages_count[5m])",
            "p99": "histogram_quantile(0.99, sum by (le) (rate(huewatch_batch_messages_bucket[5m])))",
        },
    ),
    Panel(
        "Backlog",
        "Received and not acknowledged; at 8,000 the broker holds the rest. `queued` waits for a commit.",
        "none",
        {"in flight": "huewatch_messages_in_flight", "queued": "huewatch_messages_queued"},
    ),
    Panel(
        "Lost on the way",
        "Each of these should be flat: dropped by the broker, dropped by us (QoS 0 only), sessions lost.",
        "none",
        {
            "broker": "huewatch_broker_dropped",
            "QoS 0 of {{gateway}}": "huewatch_qos0_dropped",
            "sessions": "huewatch_sessions_lost_total",
        },
    ),
    Panel(
        "Told events",
        "Events a minute by kind, as they are decided.",
        "opm",
        {"{{kind}}": "60 * rate(huewatch_alert_events_total[5m])"},
    ),
    Panel(
        "Deliveries",
        "Events a minute by receiver and outcome; what is suppressed or superseded has its reason.",
        "opm",
        {"{{receiver}} {{outcome}}": "60 * rate(huewatch_delivery_events_total[5m])"},
    ),
    Panel(
        "Waiting for a receiver",
        "Events that a receiver has not got yet, and attempts to reach it that failed, a minute.",
        "none",
        {
            "{{receiver}}": "huewatch_delivery_pending",
            "{{receiver}} failed/min": "60 * rate(huewatch_delivery_failures_total[5m])",
        },
    ),
    Panel(
        "Since a receiver was proven",
        "A test goes to each every day: more than 26 hours is a receiver that nobody has proven.",
        "s",
        {"{{receiver}}": "time() - huewatch_delivery_proven_timestamp_seconds"},
    ),
    Panel(
        "Live clients",
        "Consoles and systems on the event stream, and those dropped since they did not read.",
        "none",
        {"clients": "huewatch_feed_sse_clients", "dropped": "increase(huewatch_feed_sse_dropped_total[5m])"},
    ),
    Panel(
        "Commits tried again",
        "After a database that was away; `refused` are single messages that it did not take.",
        "none",
        {
            "tried again": "increase(huewatch_commit_retries_total[5m])",
            "refused": "increase(huewatch_storage_errors_total[5m])",
        },
    ),
    Panel(
        "Size of the database",
        "On disk, indexes too.",
        "bytes",
        {"database": "huewatch_database_bytes"},
    ),
    Panel(
        "Free disk",
        "Of the volumes of database and broker. A database without room stops.",
        "percentunit",
        {
            "{{mountpoint}}": 'node_filesystem_avail_bytes{mountpoint=~"/volumes/.+"}'
            " / node_filesystem_size_bytes"
        },
    ),
    Panel(
        "Memory",
        "Resident, against a limit of 1 GiB each.",
        "bytes",
        {"{{job}}": 'process_resident_memory_bytes{job=~"run|feed"}'},
    ),
    Panel(
        "Processor",
        "Cores used. Each of the two processes can use little more than one.",
        "none",
        {"{{job}}": 'rate(process_cpu_seconds_total{job=~"run|feed"}[5m])'},
    ),
)

QUALITY = (
    Panel(
        "Share in quarantine",
        "Of all that is decoded. Above 5 % for a quarter of an hour there is an alert.",
        "percentunit",
        {"share": "sum(rate(huewatch_rejects_total[15m])) / sum(rate(huewatch_readings_total[15m]))"},
        "stat",
        6,
    ),
    Panel(
        "Look there",
        "Readings in the last day that fail a test while the two before agree with them: perhaps the water,"
        " perhaps the sensor. A person has to look.",
        "none",
        {"in a day": "increase(huewatch_verify_now_total[1d])"},
        "stat",
        6,
    ),
    Panel(
        "Without a decision",
        "Stored rows on which no alert could be decided yet.",
        "none",
        {"rows": "huewatch_undecided_rows"},
        "stat",
        6,
    ),
    Panel(
        "Gateways heard",
        "That sent anything in the last 15 minutes.",
        "none",
        {"gateways": "count(increase(huewatch_gateway_messages_total[15m]) > 0)"},
        "stat",
        6,
    ),
    Panel(
        "Quarantine by reason",
        "Messages and readings an hour; config/README.md explains each reason.",
        "none",
        {"{{reason}}": "3600 * rate(huewatch_rejects_total[15m])"},
        width=24,
    ),
    Panel(
        "Messages by gateway",
        "A minute. A line that ends is a gateway that fell silent; the rules tell of it too.",
        "opm",
        {"{{gateway}}": "60 * rate(huewatch_gateway_messages_total[5m])"},
        width=24,
    ),
    Panel(
        "Duplicates and conflicts",
        "An hour. A conflict is another value for a time that had one: a device that counts its time twice.",
        "none",
        {"{{outcome}}": '3600 * rate(huewatch_readings_total{outcome=~"duplicate|conflict"}[15m])'},
    ),
    Panel(
        "Without quality tests",
        "Commits whose rows were stored without tests and derived results, and without decisions.",
        "none",
        {
            "tests": "increase(huewatch_refine_failures_total[5m])",
            "decisions": "increase(huewatch_evaluation_failures_total[5m])",
        },
    ),
    Panel(
        "Forecasts made",
        "An hour, of moving water, and why others were withheld.",
        "none",
        {"made {{withheld}}": "3600 * rate(huewatch_forecasts_total[15m])"},
    ),
    Panel(
        "Forecast error over persistence's",
        "By horizon in hours, over two weeks: below 1 a forecast beats saying that the level stays as it is.",
        "none",
        {
            "{{hours}} h": "sum by (hours) (increase(huewatch_forecast_error_metres_total[14d]))"
            " / sum by (hours) (increase(huewatch_forecast_persistence_error_metres_total[14d]))"
        },
    ),
    Panel(
        "The judged record",
        "Entries an hour by kind. `late` and `revised` are where it differs from what was told.",
        "none",
        {"{{kind}}": "3600 * rate(huewatch_judged_entries_total[15m])"},
    ),
    Panel(
        "Too late for the record",
        "Readings an hour that came behind the allowed lateness: gateways that send old data.",
        "none",
        {"readings": "3600 * rate(huewatch_judged_rows_too_late_total[15m])"},
    ),
)

DASHBOARDS: Mapping[str, tuple[str, Sequence[Panel]]] = {
    "huewatch-operation": ("Huewatch: the service", OPERATION),
    "huewatch-quality": ("Huewatch: the data", QUALITY),
}


def dashboard(uid: str) -> dict[str, Any]:
    """One dashboard as Grafana reads it."""
    title, panels = DASHBOARDS[uid]
    return {
        "uid": uid,
        "title": title,
        "tags": ["huewatch"],
        "timezone": "Asia/Ho_Chi_Minh",
        "editable": False,
        "refresh": "15s",
        "time": {"from": "now-6h", "to": "now"},
        "schemaVersion": 39,
        "panels": list(_laid_out(panels)),
    }


def _laid_out(panels: Sequence[Panel]) -> list[dict[str, Any]]:
    """From left to right and down, each row as high as the highest of it."""
    found, x, y, height = [], 0, 0, 0
    for number, panel in enumerate(panels, start=1):
        if x + panel.width > COLUMNS:
            x, y, height = 0, y + height, 0
        high = HEIGHTS[panel.kind]
        found.append(_panel(number, panel, {"x": x, "y": y, "w": panel.width, "h": high}))
        x, height = x + panel.width, max(height, high)
    return found


def _panel(number: int, panel: Panel, place: Mapping[str, int]) -> dict[str, Any]:
    at_once = {"instant": True} | ({"format": "table"} if panel.kind == "table" else {})
    targets = [
        {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": query, "legendFormat": legend}
        | (at_once if panel.kind != "timeseries" else {})
        for at, (legend, query) in enumerate(panel.queries.items())
    ]
    defaults: dict[str, Any] = {"unit": panel.unit}
    if panel.unit == "bool_yes_no":
        defaults["mappings"] = ON_OFF
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "gridPos": dict(place),
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": targets,
    }


def text(uid: str) -> str:
    """The file of one dashboard."""
    return json.dumps(dashboard(uid), indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write every dashboard."""
    for uid in DASHBOARDS:
        (FOLDER / f"{uid}.json").write_text(text(uid), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
