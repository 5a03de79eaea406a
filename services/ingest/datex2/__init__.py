"""DATEX II, v2 and v3: what lots' status publications say. Bytes in, values out; docs/feeds/datex2.md.

    body ──read_status──▶ status records, one at a time ──▶ readings
    (reading)             (parsing)                         (meaning)

    elements    children and texts of an element, by local name        api     POST /v1/datex2/{source_id}

Prefixes and namespaces are not looked at: publishers write what they like, and the names alone say what is meant.
"""
