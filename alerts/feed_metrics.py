"""Every metric of the feed process, in one list that the documentation is tested against.

Labels are receiver names from the configuration, never from payloads.
"""

from prometheus_client import Counter, Gauge

SSE_CLIENTS = Gauge("huewatch_feed_sse_clients", "Live clients of the event stream")
SSE_DROPPED = Counter("huewatch_feed_sse_dropped", "Live clients dropped because they did not read")
EVENTS_SEEN = Counter("huewatch_feed_events", "Events read from the sequence and passed to live clients")
AS_OF_AGE = Gauge("huewatch_feed_as_of_age_seconds", "Age of the last commit that the feed could read")
CAN_SEE = Gauge("huewatch_feed_can_see", "1 while states are known, 0 while every state reads unknown")
DELIVERED = Counter("huewatch_delivery_events", "Events by receiver and outcome", ["receiver", "outcome"])
DELIVERY_FAILURES = Counter("huewatch_delivery_failures", "Failed attempts to reach a receiver", ["receiver"])
DELIVERY_PENDING = Gauge("huewatch_delivery_pending", "Events that a receiver has not got yet", ["receiver"])

ACCESS_REFUSED = Counter("huewatch_feed_access_refused", "Requests that were not let in, by why", ["reason"])

ALL = (
    SSE_CLIENTS,
    SSE_DROPPED,
    EVENTS_SEEN,
    AS_OF_AGE,
    CAN_SEE,
    DELIVERED,
    DELIVERY_FAILURES,
    DELIVERY_PENDING,
    ACCESS_REFUSED,
)
