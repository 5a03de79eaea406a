"""WAYS: the road graph and the time it takes to drive, and to walk.

    travel_times.py     the port: one origin to many prepared targets, in seconds
      by_air.py         great circle × detour factor: the plain fallback where no roads are loaded
      by_road.py        over roads, by any engine.py (the port of those):
      cch.py              customizable contraction hierarchies (the only importer of routingkit_cch)
      dijkstra.py         the exact answer by scipy: oracle of the tests, and what runs without the other
    approaches.py       the ways to the lots of one hospital: drive to an entrance, then walk
    walking.py          from a door to entrances on foot, over a walk_network.py
    snapping.py         from a place to the road beside it     pieces.py  the nearest of many straight pieces
    verdicts.py         whether a place lies beside the roads, for whoever registers it
    overlay.py          what is said of the roads now, laid over what they usually take
    keeping_up.py       drives by what is said now, for as long as a process serves
    graph.py            the road graph: numpy arrays, checked
    graph_file.py       … and its file
    turn_expansion.py   forbidden turns, put into the graph
    graph_draft.py      lines with a speed and a direction become a graph
      osm_import.py     … from any .osm.pbf: car_profile.py, foot_profile.py, turn_rules.py say what its tags mean
      streets_geojson.py  … from streets drawn by hand
    building.py         a road file from either source, as `bowei roads build` does
    opening.py          pick the adapter for what the operator gave
    errors.py           every way a road file can be refused

What belongs here: how long a drive or a walk takes, and what the roads are. What does not: which lot is best, fees
(rules: `bowei.domain`), and when to ask (services). Nothing here reads a database or a network, nor a
clock that it was not given.
"""
