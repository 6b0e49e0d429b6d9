"""Every metric of the feed process, in one list that the documentation is tested against.

Labels are receiver names from the configuration, never from payloads.
"""

import math

from prometheus_client import Counter, Gauge

SSE_CLIENTS = Gauge("huewatch_feed_sse_clients", "Live clients of the event stream")
SSE_DROPPED = Counter("huewatch_feed_sse_dropped", "Live clients dropped because they did not read")
EVENTS_SEEN = Counter("huewatch_feed_events", "Events read from the sequence and passed to live clients")
AS_OF_AGE = Gauge("huewatch_feed_as_of_age_seconds", "Age of the last commit that the feed could read")
CAN_SEE = Gauge("huewatch_feed_can_see", "1 while states are known, 0 while every state reads unknown")
DATABASE_UP = Gauge("huewatch_feed_database_up", "1 while the feed can read the database")
DATABASE_BYTES = Gauge("huewatch_database_bytes", "Size of the database on disk")
OPEN_ALERTS = Gauge("huewatch_open_alerts", "Alerts that have not ended, by severity", ["severity"])
BROKER_DROPPED = Gauge(
    "huewatch_broker_dropped", "Messages that the broker has dropped since it started, as it says itself"
)
BROKER_DROPPED.set(math.nan)  # nobody has said that it dropped none
DELIVERED = Counter("huewatch_delivery_events", "Events by receiver and outcome", ["receiver", "outcome"])
DELIVERY_FAILURES = Counter("huewatch_delivery_failures", "Failed attempts to reach a receiver", ["receiver"])
DELIVERY_PENDING = Gauge("huewatch_delivery_pending", "Events that a receiver has not got yet", ["receiver"])
DELIVERY_REACHED = Gauge(
    "huewatch_delivery_reached", "1 while a receiver is reached, 0 after an attempt that failed", ["receiver"]
)

ACCESS_REFUSED = Counter("huewatch_feed_access_refused", "Requests that were not let in, by why", ["reason"])
DELIVERY_PROVEN = Gauge(
    "huewatch_delivery_proven_timestamp_seconds", "When a receiver took the daily test last", ["receiver"]
)
CAP_MESSAGES = Counter("huewatch_cap_messages", "CAP messages that were made, by msgType", ["kind"])
CAP_FAULTS = Counter("huewatch_cap_faults", "Events of which no CAP message could be made: a fault of ours")
CAP_CERTIFICATE = Gauge("huewatch_cap_certificate_end", "End of the city's certificate, seconds since 1970")

ALL = (
    SSE_CLIENTS,
    SSE_DROPPED,
    EVENTS_SEEN,
    AS_OF_AGE,
    CAN_SEE,
    DATABASE_UP,
    DATABASE_BYTES,
    OPEN_ALERTS,
    BROKER_DROPPED,
    DELIVERED,
    DELIVERY_FAILURES,
    DELIVERY_PENDING,
    ACCESS_REFUSED,
    DELIVERY_PROVEN,
    DELIVERY_REACHED,
    CAP_MESSAGES,
    CAP_FAULTS,
    CAP_CERTIFICATE,
)
