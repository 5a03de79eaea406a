"""The fault campaign: real processes, real stores, clients that misbehave, and a nemesis with a seed.

    __main__      python -m tests.campaign --seed 7 --for 90s
    running       one run, from start to verdict
    block         the small block that is registered        machines    servers and services, kept running
    drivers       ask, repeat, steal, come, go, give up     proxying    a wire that loses, delays and cuts
    lots          car parks with cars in them, reporting    nemesis     the faults, shuffled by the seed
    disks         a disk that fills and loses power         faults      how each is struck and mended
    clocks        wall clocks that jump
    calling       over HTTP, again until it is answered     watching    the copy, which never goes back
    history       what was asked and answered, and when     measuring   latency and recovery, by kind of fault
    ledger        what the ledger holds when all is over    replaying   each lot, grant by grant
    checking      what must hold, whatever happened
    planted_bugs  mistakes, each to be caught               mutants     python -m tests.campaign.mutants

docs/reliability.md says what it proves, and how to replay a seed.
"""
