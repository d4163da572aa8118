"""All metrics there are, by name, kind and meaning; a typo is an error at import."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

HTTP_SECONDS = Histogram(
    "lowtide_http_request_seconds",
    "Time from a request's first byte to its answer",
    ("method", "route", "status"),
    buckets=_SECONDS,
)
BATCH_SECONDS = Histogram(
    "lowtide_batch_seconds",
    "Time from a batch's decoding to its commit",
    ("topic",),
    buckets=_SECONDS,
)
BATCH_RECORDS = Histogram(
    "lowtide_batch_records",
    "Records in a batch",
    ("topic",),
    buckets=(1, 3, 10, 30, 100, 300, 1000, 3000, 10000),
)
RECORDS_TOTAL = Counter("lowtide_records_total", "Records committed", ("topic",))
DEAD_LETTERS_TOTAL = Counter("lowtide_dead_letters_total", "Records put aside", ("topic", "reason"))
LAG_RECORDS = Gauge("lowtide_lag_records", "Records not yet committed", ("topic", "partition"))
LAG_SECONDS = Gauge(
    "lowtide_lag_seconds",
    "Age of the oldest record not yet committed, 0 when none waits",
    ("topic", "partition"),
)
LAG_SHARE_OF_KEPT = Gauge(
    "lowtide_lag_share_of_kept",
    "Share of the time that its topic keeps a record for, that the oldest one has waited",
    ("topic", "partition"),
)
STREAMS = Gauge("lowtide_streams", "Streams of level changes that are open")
PUBLISHED_TOTAL = Counter(
    "lowtide_published_total", "Records acknowledged by the broker", ("topic",)
)
TOPIC_DIFFERENCES = Gauge(
    "lowtide_topic_differences",
    "Levels of this process's partitions that their topic tells otherwise than they are stored",
    ("fault",),
)
TOPIC_CHECKED_AT = Gauge(
    "lowtide_topic_checked_timestamp_seconds",
    "Unix time since when all of this process's partitions were compared with their topic",
    ("topic",),
)
CLAIMS_TOTAL = Counter("lowtide_partition_claims_total", "Partitions claimed", ("topic",))
EVENTS_TOTAL = Counter("lowtide_events_total", "Events answered by ingest", ("outcome",))
EVALUATIONS_TOTAL = Counter(
    "lowtide_evaluations_total", "Evaluations of a rule by what came of them", ("kind", "reason")
)
TRANSITIONS_TOTAL = Counter(
    "lowtide_alert_transitions_total", "Transitions of episodes", ("rule_kind", "event")
)
TIMERS_LOST_TOTAL = Counter(
    "lowtide_timers_lost_total",
    "Timers of playbooks that were found missing or overdue",
    ("cause",),
)
NOTICES_TOTAL = Counter(
    "lowtide_notices_total", "Notices by what became of them", ("kind", "outcome")
)
ALERT_TO_SENT_SECONDS = Histogram(
    "lowtide_alert_to_sent_seconds",
    "Time from an alert's record to the destination's acceptance",
    ("kind",),
    buckets=_SECONDS,
)
