"""A block of the city that lives: it shows Bowei at work, and judges it from outside.

    people      who comes when, and how long they stay: drawn from a seed, no I/O
    world       what is physically there: lots, cars, barriers, the hospital's gate and its queue
    pace        the shown clock, and waiting by it
    scene       what the scene file says, as the world needs it
    reporting   lots say what they count, as clients of ingest's protocols
    answering   a linked lot's system hears of each hold by long poll, and gives its word
    barriers    what a barrier hears of holds, and whom it lets in
    driving     drivers ask, drive, enter and leave, as clients of routing
    asking      a driver's app: one id per request, repeated until it is answered
    looking     what the barriers and the screen hear: availability's list of lots
    living      customers, feeds, barriers and drivers set going together
    counting    the figures, counted here and never read from a service; what counts as a broken promise
    screen      the terminal
    secrets_folder  the demo's own secrets, made once
    starting    servers, a fresh ledger, services, the scene
    run         all of it, from start to Ctrl-C

The world knows nothing of Bowei's insides: services are asked over HTTP alone, and their answers are held against
what the world itself sees.
"""
