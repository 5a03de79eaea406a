"""NOW: Redis, the copy that everyone reads. The only importer of redis.

What belongs here: what was last seen of each lot, what is promised on it, the directory, and the news that any of it
changed. Everything can be flushed, lost, failed over or restored from an old copy without a broken promise: the ledger
(`bowei.records`) decides, and whoever copies it here copies all of it again. What doesn't belong: any decision.

    showing       the writers' ports: ShowsReports and ShowsForecasts (ingest), ShowsPromises (the one follower)
    reading       the readers' port                 failures     how the copy fails: it is away
    mirror        a process's own copy, kept current by push, with its age, by gathering the news
    keys          every key: type, owner, lifetime  permissions  who may do what in Redis
    redis_store   Redis and Valkey                  in_memory    the twin
    packing       forecasts of a whole city as one value
    connecting    every form of address, and behind it redis_servers (what the store asks, and one server),
                  redis_sentinel or redis_cluster
"""
