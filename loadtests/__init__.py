"""Measurements: what the design costs, as ratios to its own parts and to other designs, in one run on one machine.

python -m loadtests [ledger|ranking|decide|decide-large|ingest|reading|roads|endurance|board|pause]

runs what is named, or all but decide-large, endurance, board and pause; prints a table and writes results/latest.json

ledger     placing holds: group commit against one transaction each, alone, on one hot lot, and under ingest
ranking    choosing the lot: against the bare road engine, against exact Dijkstra, and in a large city
decide     a decision over HTTP: against its ceilings, and another design; `decide-large`: 100,000 lots against 5,000
ingest     taking in: cost of a report against bare inserts, and how long until a board has it
reading    open data, against Starlette with the same bytes, and while lots report
ingesting  what lots say while holds are placed, from a process of its own
roads      how soon a change of all roads is driven by, and whom it slows
endurance  five minutes of 5,000 observations/s, and nothing lost
board      from a report to the number in a browser
pause      from a lot's pause to routing: who is still sent there, and how soon it is known
city       10,000 lots on this machine            driving    a plan sent, boards watched, both side by side
hospital   a busy hospital's city and its routing process                     asking     its drivers, a process
streets    the roads of both
sending    the load generator, a process          watching   the boards' watcher, a process
peers      the other designs, each as small as it can be; `parking_policies` for `bowei evaluate policies`
account    rows of ratios, printed and kept
"""
