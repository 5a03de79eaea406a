"""Pulling: what others publish is fetched, again and again, by one process of all (docs/feeds/pulling.md).

    leading ──one process──▶ feed_pulling, a task for each feed ──▶ by_url ──▶ formats ──▶ readings ──▶ Intake
    (an advisory lock)       (at its pace: pacing)                  parkapi_sources

    feed         what the feeds file says of a pull    assembling  makes of it what runs, and sees that it can
    fetching     one request, bounded in every way     targets     where a request may lead
    pacing       intervals, back-off, budgets, hosts   failures    how a pull can fail, one word each
    measures     what is counted

The other side is not trusted: not its times, not its sizes, not where it sends us, and not that it is still there.
"""
