"""Open data: what the lots show, in the shapes that others already read, for everybody and without a key.

All shapes are cut from the same snapshots as lists, boards and gates. Each is rendered when somebody wants it, at most
once a second and only of the lots that changed since, and is answered from memory.

    editions    one state of all lots, its renditions kept, what changed since when
    publisher   who publishes, under which licence: the operator's settings
    own_json    our own lists: lots, status, and the discovery file that names all shapes
    geojson, csv_text, datex2, parkapi, ngsi_ld    the others: a piece for each lot, and what stands around the pieces
    history_folder   days that are over, as files that ingest has written   history_api   their addresses
    api         the addresses: ETag, 304, gzip, updated_since      front   whole lists that are ready, before all else
"""
