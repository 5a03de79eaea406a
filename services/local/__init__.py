"""The whole city on one machine: the command `bowei`.

    cli                the commands; each imports what it needs when it is called
    demo               a block that lives                scenes            … and who shares with whom in it
    replay             what a city's lots once said      servers           Redis and Postgres, embedded
    doctor             what this machine lacks           looking_at_stores … and whether a store would keep a promise
    ledger_checking    `bowei ledger check`              redelivering      `bowei ingest redeliver`
    ledger_migrating   `bowei ledger migrate`
    audit_checking     `bowei audit check`, `bowei audit head`
    evaluate           is the chosen lot the right one?  `bowei evaluate`
    road_building      `bowei roads build`               scene_loading     `bowei registry load`
    feed_checking      `bowei feeds check`               dashboards        `bowei dashboards`
    api_publishing     `bowei api publish`               api_changes       … unless it breaks somebody
    asking_ready       `bowei ready`                     token_keys_file   `bowei token-keys`
    data_folder        the folder that holds all a demo keeps
    processes          the services as child processes   supervision       … started again when they die
    children           child processes that end with us  launch            … each by this small program
    setup_problem      what is in the way, and the way out

The one package that may import every service; none imports it.
"""
