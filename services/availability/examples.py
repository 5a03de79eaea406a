"""Examples for the API's description, of a block that is invented but shaped like the First Hospital's."""

from typing import Any

LOT_NOW: dict[str, Any] = {
    "id": "gonglian-cc",
    "state": "open",
    "level": "plenty",
    "capacity": 300,
    "open": 280,
    "free": 118,
    "occupied": 182,
    "held": 4,
    "offered": 112,
    "observed_at": "2026-03-02T00:30:03.000Z",
    "received_at": "2026-03-02T00:30:03.120Z",
    "age_s": 2,
    "freshness": "fresh",
    "faults": [],
}

_ENTRANCE = {
    "id": "north",
    "name": {"zh": "北入口", "en": "North ramp"},
    "lat": 30.2564,
    "lon": 120.1601,
    "datum": "wgs84",
}

FORECAST: list[dict[str, Any]] = [
    {"in_s": 300, "free": 115.2, "p_free": 0.998},
    {"in_s": 900, "free": 109.7, "p_free": 0.998},
    {"in_s": 1800, "free": 101.4, "p_free": 0.996},
    {"in_s": 3600, "free": 84.9, "p_free": 0.991},
]

LOT: dict[str, Any] = LOT_NOW | {
    "name": {"zh": "工联CC", "en": "Gonglian CC"},
    "kind": "mall",
    "block": "hubin",
    "location": {"lat": 30.2563, "lon": 120.16, "datum": "wgs84"},
    "entrances": [_ENTRANCE],
    "max_height_cm": 200,
    "barrier_link": True,
    "paused": False,
    "synthetic": True,
    "forecast": FORECAST,
    "sharing": [
        {
            "hospital_id": "first-hospital",
            "agreement_id": "gonglian-first",
            "class": "standard",
            "lent": 200,
            "held": 4,
            "offered": 112,
        }
    ],
}

GATE: dict[str, Any] = {
    "as_of": "2026-03-02T00:30:05.000Z",
    "stale": False,
    "silent_s": 0,
    "hospital_id": "first-hospital",
    "name": {"zh": "市第一医院", "en": "First Hospital"},
    "lot_id": "first-hospital",
    "state": "diverting",
    "lot_state": "open",
    "capacity": 127,
    "free": 0,
    "queue_vehicles": 9,
    "queue_said_at": "2026-03-02T00:28:40.000Z",
    "observed_at": "2026-03-02T00:30:01.000Z",
    "age_s": 4,
    "freshness": "fresh",
    "next": {
        "lot_id": "gonglian-cc",
        "name": {"zh": "工联CC", "en": "Gonglian CC"},
        "offered": 112,
        "drive_s": 95,
        "walk_s": 226,
        "walk_m": 271,
        "estimated": False,
        "walk_estimated": False,
        "entrance": _ENTRANCE,
        "why": {
            "code": "nearest",
            "zh": "有可用车位中最近的",
            "en": "the nearest with spaces to offer",
        },
    },
    "text": {
        "zh": "本院车位已满，请前往工联CC停车场：余112位，步行4分钟。",
        "en": "Hospital full. Go to Gonglian CC: 112 spaces, 4 min walk.",
    },
    "considered": [
        {
            "lot_id": "gonglian-cc",
            "agreement_id": "gonglian-first",
            "cost_s": 397,
            "drive_s": 95,
            "walk_s": 226,
            "fill_s": 76,
            "failure_s": 0,
            "chance": 1.0,
            "offered": 112,
            "free": 118,
            "age_s": 2,
        },
        {"lot_id": "in77", "agreement_id": "in77-first", "excluded": "not_shared_now", "free": 40, "age_s": 11},
    ],
}

BOARD: dict[str, Any] = {
    "as_of": "2026-03-02T00:30:05.000Z",
    "stale": False,
    "silent_s": 0,
    "id": "first-hospital",
    "kind": "hospital",
    "name": {"zh": "市第一医院", "en": "First Hospital"},
    "timezone": "Asia/Shanghai",
    "state": "diverting",
    "lines": [
        {
            "lot_id": "first-hospital",
            "name": {"zh": "市第一医院停车场", "en": "First Hospital"},
            "shows": "full",
            "level": "full",
            "own": True,
            "next": False,
            "arrow": "ahead",
        },
        {
            "lot_id": "gonglian-cc",
            "name": {"zh": "工联CC", "en": "Gonglian CC"},
            "shows": "count",
            "number": 118,
            "level": "plenty",
            "own": False,
            "next": True,
            "arrow": "left",
            "walk_s": 226,
        },
    ],
}
