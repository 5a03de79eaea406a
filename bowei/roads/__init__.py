"""WAYS: the road graph and the time it takes to drive.

    travel_times.py     the port: one origin to many prepared targets, in seconds
      by_air.py         great circle × detour factor: the plain fallback where no roads are loaded
      cch.py            customizable contraction hierarchies (the only importer of routingkit_cch)
      dijkstra.py       the exact answer by scipy: oracle of the tests, and what runs without the engine
      by_road.py        what the two road adapters share
    approaches.py       the ways to the lots of one hospital: drive to an entrance, then walk
    snapping.py         from a place to the road beside it
    graph.py            the road graph: numpy arrays, checked
    graph_file.py       … and its file
    graph_draft.py      lines with a speed and a direction become a graph
      osm_import.py     … from any .osm.pbf      car_profile.py  what OpenStreetMap's tags mean for a car
      streets_geojson.py  … from streets drawn by hand
    building.py         a road file from either source, as `bowei roads build` does
    opening.py          pick the adapter for what the operator gave
    errors.py           every way a road file can be refused

What belongs here: how long a drive takes, and what the roads are. What does not: which lot is best, walking to the
door, fees (rules: `bowei.domain`), and when to ask (services). Nothing here reads a clock, a database or a network.
"""
