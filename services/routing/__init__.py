"""Drivers and gate staff ask: a diversion, its hold, its life. Lots' barriers are told, and answer.

Answers   POST /v1/drivers, GET DELETE /v1/drivers/me, PUT GET PATCH DELETE /v1/diversions/{id}, and its stream,
          position, arrive, refused, leave;
          of gates: /v1/hospitals/{id}/diversions, slips, gate/queue, gate/pause; of lots: /v1/lots/{id}/barrier and
          POST /v1/arrivals
Reads     its mirror of the live state, as a hint; the ledger itself where the mirror is not current
Writes    holds and gates' words, in the ledger; then, by one process among all that run (the follower), what is
          promised, in the live state
Promise   nobody is told "held" before the ledger's commit; the same id gets the same answer; with the ledger away a
          driver is still guided, and told plainly that nothing is held; nobody loses a space before another is held

    api        HTTP in, HTTP out: drivers                    gates_api   of gates, with slips    lots_api  of lots
    direct     the hot address, in front of FastAPI
    params, views, lots_bodies, gate_bodies   of requests    wording     what drivers are told in words
    diverting  the use case: choose, hold, replace           hints       what is known of lots now, from where
    ranking    which lot is the right one                    explaining  how the lots were looked at, kept and shown
    reasons    why this lot and not a nearer one, in words
    watching   who waits for what, and is woken              streaming   streams and long polls    places  how many
    endangering what endangers holds now                     moving      another space first, then the old one revoked
    following  the one follower that copies the ledger       guarding    its second work: drivers out of danger
    barriers   commands, answers, codes                      telling     commands by MQTT          broker_line  on paho
    silences   barriers that do not answer              forgetting  who holds were for  own_data_api  to see and erase
    drivers    anonymous tokens                              knowing     keys of lots' sources and of gates
    app        assembles; wiring, settings                   measures    this service's metrics
"""
