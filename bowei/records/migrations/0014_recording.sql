-- Recording as before (0006), for less. What nearly every report says comes in arrays of its own, and what few say in one
-- (`more`). Most reports are newer than what is known of their lot: those are written to `report` and to `observation` by
-- one statement, and one row answers for all. What is left over is looked at after. Core features of Postgres 14 to 18.

DROP FUNCTION bowei.record_observations(
    text[], timestamptz[], bigint[], text[], integer[], integer[], integer[], text[], jsonb[], integer[], text[]);
DROP FUNCTION bowei.record_observations(
    text[], timestamptz[], timestamptz[], bigint[], text[], integer[], integer[], integer[], text[], text[], jsonb[],
    integer[], integer[], integer[], integer[], text[], text[], jsonb[], integer[], integer[], text[], boolean[], text[],
    text[], text[], text[]);

-- Record a round of observations, each lot at most once, already judged (`codes`: why it is not believed, or null).
-- The arrays say what is believed. They may be null where that says nothing: no report has a seq or a code, says `more`,
-- or is of a lot that is not open. `more` of a report, each of these left out where it says nothing:
--   bound, by_class, queue, reset, dirt (an array literal), doubt      also believed
--   said_at, occupied, method, raw                                     also said
--   said: capacity, open, free, state, bound, by_class, queue          what was said, where something else is believed
-- What was said goes to `observation`, what is believed of it to `report`.
-- Order is by (observed_at, seq); the same second without a seq is a duplicate if equal, else the later received wins.
-- A doubt comes with a lot's first report only, from who judged it or from the record itself; later ones leave it, but
-- a count by hand ends what it puts right. Rows are locked in the order of "C", as everywhere.
-- Answered are the lots of which the report is now the newest (`applied`), and beside them what the record adds to each
-- (null: no report has a doubt, or a revision but 0). A time after `latest` was taken for that.
-- `others` are the other lots, with what became of the report (stale, duplicate, quarantined), and the newest report.
CREATE FUNCTION bowei.record_observations(
    lots text[], observed timestamptz[], seqs bigint[], sources text[], capacities integer[], opens integer[],
    frees integer[], states text[], more jsonb[], codes text[],
    OUT received_at timestamptz, OUT applied text[], OUT usual_gaps interval[], OUT doubts text[], OUT revisions bigint[],
    OUT latest timestamptz, OUT others text[], OUT outcomes text[], OUT reports bowei.report[]
) LANGUAGE plpgsql
    -- A plan that is kept expects ten items, and would compare each of a thousand with each.
    SET enable_nestloop = off
AS $$
DECLARE
    clock_at timestamptz := bowei.now();
    said_at timestamptz[] := observed;
    first_lots text[];
    doubted_lots text[];
    doubted text[];
    refused_lots text[];
BEGIN
    received_at := clock_at;
    latest := clock_at + interval '30 seconds';   -- the same as bowei.domain.observations.FUTURE_TOLERANCE
    -- A process whose clock is ahead believes and stamps what is to come: recorded so, it would hide what is true.
    IF latest < ANY (observed) THEN
        observed := ARRAY(SELECT least(s.o, latest) FROM unnest(observed) WITH ORDINALITY AS s (o, i) ORDER BY s.i);
    END IF;
    WITH said AS MATERIALIZED (
        SELECT s.*, coalesce((s.more ->> 'said_at')::timestamptz, s.given_at) AS said_at, s.more -> 'said' AS said
        FROM unnest(lots, observed, said_at, seqs, sources, capacities, opens, frees, states, more, codes)
            AS s (lot_id, at, given_at, seq, source_id, capacity, open, free, state, more, code)
        WHERE s.code IS NULL
    ), written AS (
        INSERT INTO bowei.report AS r (lot_id, observed_at, said_at, seq, received_at, source_id, capacity, open, free,
                                       bound, state, free_by_class, queue_vehicles, reset, dirt, doubt, revision,
                                       usual_gap, counted_at)
        SELECT s.lot_id, s.at, nullif(s.said_at, s.at), coalesce(s.seq, 0), clock_at, s.source_id, s.capacity, s.open,
               s.free, coalesce(s.more ->> 'bound', 'exact'), coalesce(s.state, 'open'),
               coalesce(s.more -> 'by_class', '{}'), (s.more ->> 'queue')::integer,
               coalesce((s.more ->> 'reset')::boolean, false), coalesce((s.more ->> 'dirt')::text[], '{}'),
               s.more ->> 'doubt', (coalesce(s.more ? 'doubt', false))::integer, interval '60 seconds', s.at
        FROM said s
        ORDER BY s.lot_id COLLATE "C"
        ON CONFLICT (lot_id) DO UPDATE SET
            observed_at = excluded.observed_at, said_at = excluded.said_at, seq = excluded.seq,
            received_at = excluded.received_at, source_id = excluded.source_id, capacity = excluded.capacity,
            open = excluded.open, free = excluded.free, bound = excluded.bound, state = excluded.state,
            free_by_class = excluded.free_by_class, queue_vehicles = excluded.queue_vehicles, reset = excluded.reset,
            dirt = excluded.dirt, refused = NULL,
            -- The same as bowei.domain.dirt.ENDED_BY_COUNTING; a contract test compares them.
            doubt = CASE WHEN excluded.reset AND r.doubt IN ('stuck', 'drift') THEN NULL ELSE r.doubt END,
            revision = r.revision
                            + CASE WHEN excluded.reset AND r.doubt IN ('stuck', 'drift') THEN 1 ELSE 0 END,
            counted_at = CASE WHEN excluded.free IS NULL THEN r.counted_at ELSE excluded.observed_at END,
            usual_gap = CASE WHEN excluded.observed_at = r.observed_at THEN r.usual_gap ELSE
                -- The same rule as bowei.domain.freshness.learn_gap; a contract test compares them.
                r.usual_gap + 0.2 * (least(excluded.observed_at - r.observed_at, interval '6 hours',
                                           4 * greatest(r.usual_gap, interval '60 seconds')) - r.usual_gap) END
        WHERE (excluded.observed_at, excluded.seq) > (r.observed_at, r.seq)
           OR (excluded.observed_at, excluded.seq) = (r.observed_at, r.seq) AND excluded.seq = 0
              AND (excluded.capacity, excluded.open, excluded.free, excluded.bound, excluded.state, excluded.free_by_class)
                  IS DISTINCT FROM (r.capacity, r.open, r.free, r.bound, r.state, r.free_by_class)
        RETURNING r.lot_id, r.usual_gap, r.doubt, r.revision, r.xmax = 0 AS is_first   -- xmax: of a row that was locked
    ), kept AS (
        INSERT INTO bowei.observation (lot_id, observed_at, said_at, seq, received_at, source_id, capacity, open, free,
                                       occupied, bound, state, free_by_class, queue_vehicles, method, reset, dirt, raw,
                                       outcome)
        SELECT s.lot_id, s.at, s.said_at, s.seq, clock_at, s.source_id,
               CASE WHEN s.said IS NULL THEN s.capacity ELSE (s.said ->> 'capacity')::integer END,
               CASE WHEN s.said IS NULL THEN s.open ELSE (s.said ->> 'open')::integer END,
               CASE WHEN s.said IS NULL THEN s.free ELSE (s.said ->> 'free')::integer END,
               (s.more ->> 'occupied')::integer, coalesce(coalesce(s.said, s.more) ->> 'bound', 'exact'),
               coalesce(s.said ->> 'state', s.state, 'open'), coalesce(coalesce(s.said, s.more) -> 'by_class', '{}'),
               (coalesce(s.said, s.more) ->> 'queue')::integer, s.more ->> 'method',
               coalesce((s.more ->> 'reset')::boolean, false), coalesce((s.more ->> 'dirt')::text[], '{}'),
               s.more ->> 'raw', 'applied'
        FROM said s JOIN written w ON w.lot_id = s.lot_id
    )
    SELECT array_agg(w.lot_id), array_agg(w.usual_gap), CASE WHEN count(w.doubt) > 0 THEN array_agg(w.doubt) END,
           CASE WHEN max(w.revision) > 0 THEN array_agg(w.revision) END, array_agg(w.lot_id) FILTER (WHERE w.is_first)
        INTO applied, usual_gaps, doubts, revisions, first_lots FROM written w;

    IF first_lots IS NOT NULL THEN
        SELECT array_agg(k.lot_id), array_agg(k.doubt) INTO doubted_lots, doubted FROM bowei.known_doubts(first_lots) AS k;
        UPDATE bowei.report r SET doubt = doubted[array_position(doubted_lots, r.lot_id)], revision = 1
            WHERE r.lot_id = ANY (doubted_lots) AND r.doubt IS NULL;
        IF FOUND THEN
            doubts := ARRAY(SELECT (SELECT r.doubt FROM bowei.report r WHERE r.lot_id = a) FROM unnest(applied) AS a);
            revisions := ARRAY(SELECT (SELECT r.revision FROM bowei.report r WHERE r.lot_id = a) FROM unnest(applied) AS a);
        END IF;
    END IF;
    IF coalesce(cardinality(applied), 0) = cardinality(lots) THEN
        RETURN;
    END IF;

    refused_lots := ARRAY(SELECT s.lot_id FROM unnest(lots, codes) AS s (lot_id, code) WHERE s.code IS NOT NULL);
    IF cardinality(refused_lots) > 0 THEN
        -- What is locked is passed by: the mark is news for people, and not worth a deadlock.
        UPDATE bowei.report r SET refused = codes[array_position(lots, r.lot_id)], revision = r.revision + 1
            WHERE r.lot_id = ANY (ARRAY(
                SELECT n.lot_id FROM bowei.report n
                WHERE n.lot_id = ANY (refused_lots) AND observed[array_position(lots, n.lot_id)] > n.observed_at
                  AND n.refused IS DISTINCT FROM codes[array_position(lots, n.lot_id)] FOR UPDATE SKIP LOCKED));
    END IF;

    -- Their reports are looked up one by one: a join would read those of all lots.
    WITH said AS MATERIALIZED (
        SELECT s.*, coalesce((s.more ->> 'said_at')::timestamptz, s.given_at) AS said_at, s.more -> 'said' AS said,
               (SELECT r FROM bowei.report r WHERE r.lot_id = s.lot_id) AS shown
        FROM unnest(lots, observed, said_at, seqs, sources, capacities, opens, frees, states, more, codes)
            AS s (lot_id, at, given_at, seq, source_id, capacity, open, free, state, more, code)
        WHERE s.lot_id NOT IN (SELECT a FROM unnest(applied) AS a)
    ), judged AS (
        SELECT s.*, CASE
            WHEN s.code IS NOT NULL THEN 'quarantined'
            WHEN (s.at, coalesce(s.seq, 0)) = ((s.shown).observed_at, (s.shown).seq) THEN 'duplicate'
            ELSE 'stale' END AS became
        FROM said s
    ), kept AS (
        INSERT INTO bowei.observation (lot_id, observed_at, said_at, seq, received_at, source_id, capacity, open, free,
                                       occupied, bound, state, free_by_class, queue_vehicles, method, reset, dirt, raw,
                                       outcome, code)
        SELECT s.lot_id, s.at, s.said_at, s.seq, clock_at, s.source_id,
               CASE WHEN s.said IS NULL THEN s.capacity ELSE (s.said ->> 'capacity')::integer END,
               CASE WHEN s.said IS NULL THEN s.open ELSE (s.said ->> 'open')::integer END,
               CASE WHEN s.said IS NULL THEN s.free ELSE (s.said ->> 'free')::integer END,
               (s.more ->> 'occupied')::integer, coalesce(coalesce(s.said, s.more) ->> 'bound', 'exact'),
               coalesce(s.said ->> 'state', s.state, 'open'), coalesce(coalesce(s.said, s.more) -> 'by_class', '{}'),
               (coalesce(s.said, s.more) ->> 'queue')::integer, s.more ->> 'method',
               coalesce((s.more ->> 'reset')::boolean, false), coalesce((s.more ->> 'dirt')::text[], '{}'),
               s.more ->> 'raw', s.became, s.code
        FROM judged s WHERE s.became <> 'duplicate'
    )
    SELECT array_agg(j.lot_id), array_agg(j.became), array_agg(j.shown) INTO others, outcomes, reports FROM judged j;
END $$;
