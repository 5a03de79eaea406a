"""Replaying a recording: what a city's lots said, through the same ingest, live state and routing code, on its clock.

    command     `bowei replay`: servers, stage, progress, exit code
    stage       real stores and the services' own code, assembled on one stepped clock
    recording   reads lots.csv and observations.csv[.gz]; names what it can't use
    replaying   steps the clock, reports, and asks for a diversion whenever the hospital is full
    watching    what drivers would have read at each step, each dirt with what was shown meanwhile
    accounting  one line per decision, and the summary, checked against the recording itself

Replayed drivers take no space: each hold is given up at once, so every decision is judged by itself.
"""
