"""Everyone looks: lots, the hospitals' gates, boards, streams of all, and the pages that show them.

Answers   GET /v1/hospitals, /v1/hospitals/{id}/gate, …/gate/stream (SSE), /v1/lots, /v1/lots/{id},
          /v1/stream (SSE), /v1/closures, /v1/time, /v1/boards/{id}, …/stream (SSE); pages: /board/{id}, /go,
          /gate/{id}, /map; open data: /open/v1/…
Reads     its mirror of the live state; the ledger once, at start, for the clock that the city runs on
Writes    nothing
Promise   a board, a gate and a list that are read together show the same number, because all are cut from one
          snapshot, at most a second old; what is not known is absent, never 0; with the live state away the last
          copy is answered, with `as_of` and, after 10 s, `stale`

    api        HTTP in, HTTP out          views      bodies of answers
    snapshots  one picture of everything, taken when something changed and at a slow tick
      lots     what is said of one lot    gates      … and of one hospital's gate      wording  … in zh and en
      forecasts  … and what is foreseen of it
    selecting  filters and pages          streaming  server-sent events      whole_streams  … of boards and gates
    boards     a few lines for a screen   pages      the files of web/, served from memory
    signs      the same for outdoor signs, over wires and brokers
    opendata   all lots in the shapes that others read, rendered once for everybody
    app        assembles; wiring, settings           measures   this service's metrics
    closures   closed roads, as areas                city_measures   spaces by block, and gates, for Prometheus
    examples   for the API's description         considered_view   one lot that was looked at for a gate
"""
