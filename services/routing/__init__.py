"""Drivers and gate staff ask: a diversion, its hold, its life.

Answers   POST /v1/drivers, PUT GET PATCH DELETE /v1/diversions/{id}, and its arrive, refused, leave
Reads     its mirror of the live state, as a hint; the ledger itself where the mirror is not current
Writes    holds, in the ledger; then, by one process among all that run (the follower), what is promised, in the live
          state
Promise   nobody is told "held" before the ledger's commit; the same id gets the same answer; with the ledger away a
          driver is still guided, and told plainly that nothing is held

    api        HTTP in, HTTP out            params, views   bodies of requests and answers
    diverting  the use case: choose, hold, replace           hints       what is known of lots now, from where
    ranking    which lot is the right one                    explaining  how the lots were looked at, kept and shown
    reasons    why this lot and not a nearer one, in words
    following  the one follower that copies the ledger       drivers     anonymous tokens
    app        assembles; wiring, settings                   measures    this service's metrics
"""
