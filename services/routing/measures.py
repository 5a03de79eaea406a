"""This service's metrics."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from bowei.roads.travel_times import WeighedRoads


class RoadMeasures:
    """What routing measures of its roads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._version = Gauge(
            "bowei_routing_roads_version",
            "Which version of what is said of the roads does this process drive by?",
            registry=registry,
        )
        self._pieces = Gauge(
            "bowei_routing_road_pieces",
            "Of how many pieces of road is a speed said, and how many are closed?",
            ("state",),
            registry=registry,
        )
        self._weighing = Histogram(
            "bowei_routing_roads_weighing_seconds",
            "How long did it take, beside the drives that went on, to work out changed roads?",
            buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0),
            registry=registry,
        )
        self.off_road = Gauge(
            "bowei_routing_entrances_off_road",
            "How many entrances that lend to a hospital lie too far from any road, as last asked about?",
            ("hospital",),
            registry=registry,
        )

    def took(self, weighed: WeighedRoads, took_s: float) -> None:
        """See `bowei.roads.keeping_up.WatchesRoads`."""
        self._version.set(weighed.version)
        self._pieces.labels("slowed").set(weighed.slowed)
        self._pieces.labels("closed").set(weighed.closed)
        self._weighing.observe(took_s)


class Measures:
    """What routing measures; labels come from closed sets."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.diversions = Counter(
            "bowei_routing_diversions_total",
            "How many requests for a diversion were answered, by what became of them?",
            ("outcome",),
            registry=registry,
        )
        self.hold_ends = Counter(
            "bowei_routing_hold_steps_total",
            "How many steps did drivers report on their holds, by outcome?",
            ("step", "outcome"),
            registry=registry,
        )
        self.swept = Counter(
            "bowei_routing_swept_total",
            "How many holds and stays did housekeeping end, by why? settle_limit and overlong deserve a look.",
            ("why",),
            registry=registry,
        )
        self.forgotten = Counter(
            "bowei_routing_forgotten_total",
            "How many holds were rid of a plate and code, of a driver; and how many tombstones and repeats are gone?",
            ("what",),
            registry=registry,
        )
        self.kept_too_long = Gauge(
            "bowei_routing_kept_too_long",
            "How many holds still tell who they were for, an hour after that was to be forgotten? 0, always.",
            registry=registry,
        )
        self.ranking = Histogram(
            "bowei_routing_ranking_duration_seconds",
            "How long did it take to look at all candidate lots of a request?",
            buckets=(0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05),
            registry=registry,
        )
        self.hints = Counter(
            "bowei_routing_hints_total",
            "How many requests were ranked from which copy of the present?",
            ("source",),
            registry=registry,
        )
        self.moves = Counter(
            "bowei_routing_moves_total",
            "How many drivers on the way were to be moved out of which danger, and what became of it?",
            ("danger", "outcome"),
            registry=registry,
        )
        self.endangered = Gauge(
            "bowei_routing_endangered_holds",
            "How many held holds are on lots that can hardly keep them? Measured by the follower.",
            registry=registry,
        )
        self.stream_events = Counter(
            "bowei_routing_stream_events_total", "How many events were sent to drivers' streams?", registry=registry
        )
        self.streams = Gauge("bowei_routing_streams", "How many streams and long polls are open?", registry=registry)
        self.barrier_commands = Counter(
            "bowei_routing_barrier_commands_total",
            "How many commands were given to barriers, of which kind, by which way? One given twice counts twice.",
            ("kind", "way"),
            registry=registry,
        )
        self.barrier_answers = Counter(
            "bowei_routing_barrier_answers_total",
            "How many commands did barriers answer, and how?",
            ("kind", "answer"),
            registry=registry,
        )
        self.barrier_broker = Gauge(
            "bowei_routing_barrier_broker_connected",
            "Is this process connected to the broker by which barriers are told (1) or not (0)?",
            registry=registry,
        )
        self.barrier_not_published = Counter(
            "bowei_routing_barrier_not_published_total",
            "How many times could a command to a barrier not be published, whatever the broker says?",
            registry=registry,
        )
        self.barrier_unanswered = Gauge(
            "bowei_routing_barrier_unanswered",
            "How many cars did barriers not answer for within 3 minutes, whichever way they are told?",
            registry=registry,
        )
        self.following = Gauge(
            "bowei_routing_following",
            "Is this process the one that copies the ledger (1) or not (0)?",
            registry=registry,
        )
        self.roads = RoadMeasures(registry)
        self.clock_skew = Gauge(
            "bowei_clock_skew_seconds",
            "How far does this process's clock run ahead of the ledger's? Measured at each look at /metrics.",
            registry=registry,
        )
        self.broken_promises = Gauge(
            "bowei_broken_promises",
            "How many promises does the ledger itself show to be broken? Must be 0.",
            registry=registry,
        )
