"""PROMISED: Postgres, the record of what was registered, reported and promised. The only importer of asyncpg.

What belongs here: the ledger of holds and its rules in SQL, the journal of reports, the register of lots and
agreements, the one clock; each behind a port with an in-memory twin that passes the same contract tests. What was
answered was committed here first. What doesn't: a copy of now for readers (`bowei.livestate`), HTTP.

    holding      HoldBook: placing and ending holds      postgres_holding      migrations/0002
    barriers     BarrierBook: commands and answers       postgres_barriers     migrations/0013
    reporting    ReportJournal: observations, passages   postgres_reporting    migrations/0003
    registering  Register: lots, agreements, sources     postgres_registering  migrations/0001
    sensing      SpaceBook: spaces with a sensor each    postgres_sensing      migrations/0008
    road_book    RoadBook: speeds and closures           postgres_road_book    migrations/0010
    gate_book    GateBook: what a gate's staff says      postgres_gate_book    migrations/0017
    party_book   PartyBook: who may sign in             postgres_party_book   migrations/0018
    agreement_book AgreementBook: versions, proposed    postgres_agreement_book migrations/0019
                 and accepted
    sharing      ReadsSharing: what a month brought      postgres_sharing      migrations/0020
    forgetting   ForgetsPersons: who holds were for     postgres_forgetting   migrations/0021
    history      by day, by hour, and forgetting         postgres_history      migrations/0005
    dead_letters what could not be meant yet             postgres_dead_letters migrations/0005
    quality      QualityBook, QualityDesk: who is        postgres_quality      migrations/0007
                 believed, and why not                   postgres_quality_desk postgres_trusting
    forecasts    ForecastBook: counts to learn from,     postgres_forecasts    migrations/0011
                 and what was learned
    audit        AuditTrail: acts of persons, chained     postgres_audit        migrations/0016
    summing_up   quality, of a city or one source
    clock        the ledger's clock, in Python           group_commit          many requests, one commit
    connecting   pools and start-up checks               migrating             forward-only migrations
    rights       what each service may do, by role
    leading      the right to be the one that does it    following             that to copy the ledger
    array_texts  arrays as Postgres writes them           hold_rows             holds as it gives them
    emptying     of a demo's database                    failures              how a store fails
    in_memory    the twins
"""
