"""Field maps for the feeds of cities on record, by the names of the files."""

from collections.abc import Mapping

from bowei.observability.yaml_text import read_yaml
from services.ingest.fieldmaps.field_map import FieldMap
from services.ingest.fieldmaps.messages import MapIn

_MAPS: Mapping[str, str] = {
    "bietigheim": """
        document: {format: csv, encoding: latin-1, delimiter: ";"}
        messages:
          - lot: Name
            observed_at: {path: Timestamp, format: epoch_ms}
            counts:
              capacity: Capacity
              occupied: OccupiedSites
              state: {path: OpeningState, means: {Geöffnet: open, Geschlossen: closed}}
        """,
    "bielefeld": """
        document: {format: csv, delimiter: ";"}
        timezone: Europe/Berlin
        messages:
          - when: {path: b_pls_rest}
            lot: pls_id
            observed_at: {path: b_pls_zeit, format: "%Y-%m-%d-%H.%M.%S.%f"}
            counts:
              capacity: kapazitaet
              free: b_pls_rest
              state: {path: b_pls_status, means: {FREI: open, BESETZT: open, GESCHLOSSEN: closed}}
        """,
    "aalen": """
        messages:
          - items: $[*]
            lot: name
            counts: {capacity: max, free: free, state: {path: status, means: {geöffnet: open, geschlossen: closed}}}
        """,
    "freiburg": """
        timezone: Europe/Berlin
        messages:
          - items: $.features[*].properties
            lot: obs_parkid
            observed_at: obs_ts
            counts:
              capacity: obs_max
              free: obs_free
              state: {path: obs_state, means: {"0": closed, "1": open}}
        """,
    "freiburg-park-and-ride": """
        timezone: Europe/Berlin
        messages:
          - items: $.features[*].properties
            lot: park_id
            observed_at: obs_ts
            counts: {capacity: obs_max, free: obs_free}
        """,
    "karlsruhe": """
        messages:
          - when: {path: echtzeit_belegung, equals: [T]}
            items: $.features[*].properties
            lot: id
            observed_at: stand_freieparkplaetze
            counts:
              capacity: gesamte_parkplaetze
              free: freie_parkplaetze
              state: {path: echtzeit_status, means: {OK: open, Geschlossen: closed, Störung: out_of_order}}
        """,
    "konstanz": """
        messages:
          - items: $.features[*].attributes
            lot: name
            observed_at: {path: updated, format: epoch_ms}
            counts: {capacity: real_capa, free: real_fcap, state: {path: opening_s, means: {ja: open, nein: closed}}}
        """,
    "vrn": """
        messages:
          - items: $.features[*].properties
            lot: original_uid
            observed_at: {path: reatime_data_updated, format: epoch_ms}
            counts: {capacity: capacity, free: realtime_free_capacity}
        """,
    "p-m-bw": """
        messages:
          - items: $[*]
            lot: id
            observed_at: time
            counts:
              capacity: $.capacity.car
              free: $.free_capacity.car
              classes: {disabled: $.free_capacity.car_handicap}
              state: {path: status, means: {ACTIVE: open}}
        """,
    "ellwangen-sensit": """
        messages:
          - items: $[*]
            lot: id
            counts: {capacity: $.actualStatus.parkingCapacity, free: $.actualStatus.vacantSpaces}
        """,
    "ulm-sites": """
        messages:
          - items: $[*]
            lot: id
            observed_at: timestamp
            counts: {capacity: maxcarparkfull, occupied: currentcarparkfulltotal}
        """,
    "herrenberg": """
        timezone: UTC
        messages:
          - when: {path: free}
            items: $.lots[*]
            lot: id
            observed_at: {path: last_updated, of: document}
            counts: {capacity: total, free: free, state: {path: state, means: {nodata: unknown}, otherwise: open}}
        """,
    "aarhus": """
        timezone: Europe/Copenhagen
        messages:
          - items: $.result.records[*]
            lot: garageCode
            observed_at: {path: date, format: "%Y/%m/%d %H:%M:%S"}
            counts: {capacity: totalSpaces, occupied: vehicleCount}
        """,
    "basel": """
        messages:
          - items: $.results[*]
            lot: id
            observed_at: published
            counts: {capacity: total, free: free, state: {path: status, means: {offen: open, geschlossen: closed}}}
        """,
    "koeln": """
        timezone: Europe/Berlin
        means: {"-1": unknown}
        messages:
          - items: $.features[*].attributes
            lot: IDENTIFIER
            observed_at: TIMESTAMP
            counts: {free: KAPAZITAET}
        """,
    "rosenheim": """
        means: {"---": unknown}
        messages:
          - items: $[*]
            lot: uid
            counts: {capacity: parkings, free: free, state: {path: isOpened, means: {"true": open, "false": closed}}}
        """,
    "heidelberg": """
        messages:
          - items: $.data.parkinglocations[*]
            lot: id
            observed_at: {path: $.data.updated, of: document, format: "%a, %d %b %Y %H:%M:%S %z"}
            counts:
              capacity: $.parkingupdate.total
              occupied: $.parkingupdate.current
              state: {path: $.parkingupdate.status, means: {open: open, closed: closed}}
        """,
}


def map_of(name: str) -> FieldMap:
    """Give a map."""
    written = "\n".join(line.removeprefix("        ") for line in _MAPS[name].splitlines())
    said = read_yaml(f"map: {name}\nabout: A feed on record\n{written}".encode())
    return FieldMap(MapIn.model_validate(said))
