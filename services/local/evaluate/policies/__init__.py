"""The policy bench: ways to choose, on equal days, against a bound that nobody can beat.

    world       cities and days from seeds
    bound       the optimum in hindsight, relaxed: a linear programme
    linear      … solved by HiGHS
    policy      what a way to choose is
    simulating  a day under a policy, event by event
    ours        what the product does, and its options
    benching    tunes on some seeds, scores on others; kept and resumed
    tables      the tables of docs/evaluation.md
    command     `bowei evaluate policies`

Other ways to choose are given by a module (`--peers`) with a function `families(requests_per_h)`.
"""
