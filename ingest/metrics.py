"""Every metric of ingest, in one list that the documentation is tested against.

Labels come from the catalogue or from closed lists, never from payloads. Counters of readings are fed
from what a transaction committed, so that they reconcile with the `ledger` table.
"""

from prometheus_client import Counter, Gauge, Histogram, Info

READY = Gauge("huewatch_ready", "1 while this process's /readyz is green, looked at with each scrape")
MESSAGES_COMMITTED = Counter("huewatch_messages_committed", "Messages whose transaction committed")
READINGS = Counter("huewatch_readings", "Readings committed, by what became of them", ["outcome"])
GATEWAY_MESSAGES = Counter("huewatch_gateway_messages", "Messages committed, by gateway", ["gateway"])
REJECTS = Counter("huewatch_rejects", "Messages and readings sent to quarantine", ["reason"])
COMMIT_SECONDS = Histogram(
    "huewatch_commit_seconds",
    "Duration of one commit: classify, evaluate, copy, COMMIT",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
BATCH_MESSAGES = Histogram(
    "huewatch_batch_messages",
    "Messages in one commit",
    buckets=(1, 4, 16, 64, 256, 1024, 4000, 20000),
)
COMMIT_RETRIES = Counter("huewatch_commit_retries", "Commits tried again after a transient failure")
STORAGE_ERRORS = Counter("huewatch_storage_errors", "Messages that the database refused one by one")
GATEWAY_REQUESTS = Counter("huewatch_gateway_requests", "Messages to gateways, such as requests for a birth")
VERIFY_NOW = Counter(
    "huewatch_verify_now", "Readings that fail range or rate in agreement with the two before: look there"
)
REFINE_FAILURES = Counter(
    "huewatch_refine_failures", "Commits that stored rows without quality tests and derived results"
)
EVALUATION_FAILURES = Counter(
    "huewatch_evaluation_failures", "Commits that stored observations without deciding on them"
)
UNDECIDED = Gauge("huewatch_undecided_rows", "Stored rows that wait for a decision, which is made up for")
GIVEN_UP = Counter("huewatch_undecided_given_up", "Stored rows that no decision can be had on, one by one")
LAST_COMMIT = Gauge("huewatch_last_commit_timestamp_seconds", "When the last transaction committed")
SIGHTED = Gauge("huewatch_sighted", "1 while readings reach us unhindered, 0 while we are blind")
CONNECTED = Gauge("huewatch_broker_connected", "1 while the MQTT connection is up")
RECONNECTS = Gauge("huewatch_broker_connections", "MQTT connections made since the start")
RECEIVED = Gauge("huewatch_messages_received", "Messages received since the start, redeliveries too", ["qos"])
VIOLATIONS = Gauge("huewatch_broker_violations", "Connections left because the broker broke the protocol")
IN_FLIGHT = Gauge("huewatch_messages_in_flight", "Messages received and not yet acknowledged")
QUEUED = Gauge("huewatch_messages_queued", "Messages received and not yet taken into a commit")
ABANDONED_QOS1 = Gauge(
    "huewatch_qos1_abandoned",
    "Unacknowledged messages of lost connections dropped: the broker sends them again",
)
DROPPED_QOS0 = Gauge("huewatch_qos0_dropped", "QoS 0 messages dropped under overload", ["gateway"])
SESSIONS_LOST = Counter("huewatch_sessions_lost", "Broker sessions found lost at a connect: each is a gap")
DATABASE = Info("huewatch_database", "How observations are kept")
CONFIG = Info("huewatch_config", "The configuration in force")
CONFIG_RELOADS = Counter("huewatch_config_reloads", "Reloads of the configuration", ["outcome"])

ALL = (
    READY,
    MESSAGES_COMMITTED,
    READINGS,
    GATEWAY_MESSAGES,
    REJECTS,
    COMMIT_SECONDS,
    BATCH_MESSAGES,
    COMMIT_RETRIES,
    STORAGE_ERRORS,
    GATEWAY_REQUESTS,
    VERIFY_NOW,
    REFINE_FAILURES,
    EVALUATION_FAILURES,
    UNDECIDED,
    GIVEN_UP,
    LAST_COMMIT,
    SIGHTED,
    CONNECTED,
    RECONNECTS,
    RECEIVED,
    VIOLATIONS,
    IN_FLIGHT,
    QUEUED,
    ABANDONED_QOS1,
    DROPPED_QOS0,
    SESSIONS_LOST,
    DATABASE,
    CONFIG,
    CONFIG_RELOADS,
)
