"""What the keeper of history and the dead letters measure."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from bowei.domain.history_days import FileKind
from bowei.records.history import Forgotten, HistoryState


class HistoryMeasures:
    """Set by the one process that keeps history; in the others all gauges are 0."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.keeping = Gauge(
            "bowei_ingest_keeping", "Is this the process that keeps history in order?", registry=registry
        )
        self.kept_at = Gauge(
            "bowei_ingest_kept_timestamp_seconds",
            "When was history last kept in order, seconds since 1970 in real time?",
            registry=registry,
        )
        self._undated = Gauge(
            "bowei_ingest_history_undated_rows",
            "How many reports lie in no day of their own, because none was made in time?",
            registry=registry,
        )
        self._behind = Gauge(
            "bowei_ingest_history_rollups_behind",
            "How many hours have ended and were not looked at yet? 0 or 1 is usual.",
            registry=registry,
        )
        self._due = Gauge(
            "bowei_ingest_history_rollups_due", "How many hours of lots wait to be summed up?", registry=registry
        )
        self.rolled_up = Counter(
            "bowei_ingest_history_rolled_up_total", "How many hours of lots were summed up?", registry=registry
        )
        self._forgotten = Counter(
            "bowei_ingest_history_forgotten_total",
            "How much was forgotten because its time was over, by what it was?",
            ("what",),
            registry=registry,
        )
        self._files_written = Counter(
            "bowei_ingest_history_files_total",
            "How many history files were written, by format?",
            ("format",),
            registry=registry,
        )
        self.files_failed = Counter(
            "bowei_ingest_history_files_failed_total",
            "How often could no history file be written, because its folder would not take it?",
            registry=registry,
        )
        self.files_missing = Gauge(
            "bowei_ingest_history_files_missing",
            "Of how many finished days is there no history file yet?",
            registry=registry,
        )
        self.letters_waiting = Gauge(
            "bowei_ingest_dead_letters_waiting", "How many dead letters wait to be delivered again?", registry=registry
        )
        self._letters = Counter(
            "bowei_ingest_dead_letters_total",
            "How many items came that could be read and not be meant, and why?",
            ("way", "reason"),
            registry=registry,
        )
        self._letters_dropped = Counter(
            "bowei_ingest_dead_letters_dropped_total",
            "How many dead letters were given up, and why?",
            ("why",),
            registry=registry,
        )

    def shown(self, state: HistoryState) -> None:
        """Show how far the keeping is."""
        self._undated.set(state.undated)
        self._behind.set(state.hours_behind)
        self._due.set(state.hours_due)

    def forgot(self, forgotten: Forgotten) -> None:
        """Count what was forgotten."""
        self._forgotten.labels("days").inc(forgotten.days)
        self._forgotten.labels("passages").inc(forgotten.passages)
        self._forgotten.labels("hours").inc(forgotten.hours)

    def file_written(self, kind: FileKind) -> None:
        """Count a file."""
        self._files_written.labels(kind.name.lower()).inc()

    def letter(self, way: str, reason: str) -> None:
        """Count a letter; `way` and `reason` are of our own closed sets."""
        self._letters.labels(way, reason).inc()

    def letters_dropped(self, why: str, count: int) -> None:
        """Count letters that went: `count`, their source sent too many or one too large; `often`; `age`; `away`."""
        self._letters_dropped.labels(why).inc(count)

    def stopped(self) -> None:
        """Say that this process keeps nothing any more: its last figures are another's to show."""
        self.keeping.set(0)
        self.letters_waiting.set(0)
        self.files_missing.set(0)
        self.shown(HistoryState(hours_behind=0, hours_due=0, undated=0))
