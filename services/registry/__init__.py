"""The registry: where the parties agree. Lots, entrances, hospitals, agreements, and the sources that report.

    answers   GET/PUT /v1/lots/{id}, POST …/pause, …/resume · GET/PUT /v1/hospitals/{id}
              GET /v1/quality, …/sources/{id}, …/lots/{id}, POST …/suspend, …/release · the page /quality
              GET/PUT /v1/calendars/{id}
              PUT/GET /v1/road-speeds · GET/PUT/DELETE /v1/closures/{id}
              GET /v1/reports/{month} · GET /v1/lots/{id}/coming
              GET /v1/audit · GET/PUT /v1/parties/{id} · POST /v1/token · /.well-known/jwks.json
              GET/PUT/DELETE /v1/agreements/{id}, …/versions · GET /v1/proposals
              GET/PUT /v1/sources/{id} · PUT /v1/scene · lists of each
    reads     records (the register, the road book, the party book)
    writes    records (these three, of which it is the only writer; a person's word on who is trusted)

The promise: nothing is registered that can't be true (an entrance a kilometre off, a datum not said, more lent than
there is), each refusal names the field and the fix, and putting the same again changes nothing. With Postgres away it
answers 503 and has changed nothing; nobody is diverted by the registry, so it may be away for minutes.

    app        assembles; wiring, settings      api          HTTP in, HTTP out
    params     what may be sent                 agreement_params   the same of agreements
    views      what is answered
    scene      a scene file, read and checked   plausible    what can't be true of lots, hospitals, agreements
    enrolling  sources and their keys           answering    what is refused, as problems
    reports_api      what sharing brought, and who is coming
    agreements_api   in force, versions, proposals                      succeeding  … brought in force on their day
    access     which role may ask for what      asking       who asks, and what is there for them
    parties_api   parties, their secrets and tokens                     first_code  how the first one gets in
    tokens     access tokens, ours and a provider's                     token_keys  what ours are signed with
    auditing   every act is noted before it is tried                    audit_api   who did what
    calendars_api   public holidays, and days made up for them
    roads_api  speeds and closures of roads      roads_params  what may be said of them
    quality_api   how the data stands, and a person's word on it: quality_views for programs, quality_page for people
"""
