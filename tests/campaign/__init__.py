"""The fault campaign: real processes, real stores, clients that misbehave, and a nemesis with a seed.

    __main__    python -m tests.campaign --seed 7 --for 90s
    block       the small block that is registered           machines   servers, services, and what can be done to them
    drivers     people who ask, repeat, steal, give up       proxying   a wire that loses, delays and cuts
    lots        car parks with cars in them, that report     nemesis    the faults, shuffled by the seed
    history     what was asked and answered, and when        measuring  latency and recovery, by kind of fault
    ledger      what the ledger holds when all is over       replaying   each lot, grant by grant
    checking    what must hold, whatever happened            watching    the copy, which never goes back
    running     one run, from start to verdict               calling     over HTTP, again until it is answered
    mutants     python -m tests.campaign.mutants             planted_bugs each to be caught

docs/reliability.md says what it proves, and how to replay a seed.
"""
