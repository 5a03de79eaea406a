"""Cars in a simulated town, steered by the routing service's own code, against what the simulator offers itself.

    town         streets, driveways, lots               demand       who comes, drawn from a seed
    policies     how a driver learns where to park      experiments  which of them are run
    steering     the routing service in process         simulator    SUMO: the only module that knows it
    running      one run: town, people, policy          following    … step by step
    journeys     what a run leaves behind               measures     … in numbers
    results      runs that are kept, a line each        comparing    seeds against the same seeds
    report       docs/evaluation-traffic.md             command      `bowei evaluate traffic`

docs/evaluation-traffic.md says what came out, and ADR 0019 why it is done this way.
"""
