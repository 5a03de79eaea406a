-- What is believed, beside what was said: bounds, dirt and doubts. The functions of the release before stay and call
-- the new ones.

ALTER TABLE bowei.observation
    ADD COLUMN said_at  timestamptz,           -- the source's own time; observed_at is the one we go by
    ADD COLUMN occupied integer,
    ADD COLUMN bound    text NOT NULL DEFAULT 'exact',
    ADD COLUMN queue_vehicles integer,
    ADD COLUMN method   text,
    ADD COLUMN reset    boolean NOT NULL DEFAULT false,
    ADD COLUMN dirt     text[] NOT NULL DEFAULT '{}',
    ADD COLUMN raw      text;                  -- the item as it was sent, where a way in had to translate

ALTER TABLE bowei.report
    ADD COLUMN said_at  timestamptz,           -- null: the same as observed_at
    ADD COLUMN bound    text NOT NULL DEFAULT 'exact' CHECK (bound IN ('exact', 'at_least', 'at_most')),
    ADD COLUMN reset    boolean NOT NULL DEFAULT false,
    ADD COLUMN dirt     text[] NOT NULL DEFAULT '{}',
    ADD COLUMN doubt    text,                  -- why it is not believed although it is recent; null: it is believed
    ADD COLUMN refused  text,                  -- why a later report was not believed, so that this one stands
    ADD COLUMN revision bigint NOT NULL DEFAULT 0;   -- grows with every change of doubt or refused, under the row's lock

ALTER TABLE bowei.passage ADD COLUMN shared boolean NOT NULL DEFAULT false;

-- What the record itself knows against lots: nothing yet; 0007 has it look where trust is kept.
CREATE FUNCTION bowei.known_doubts(lots text[]) RETURNS TABLE (lot_id text, doubt text) LANGUAGE sql STABLE AS $$
    SELECT NULL::text, NULL::text WHERE false
$$;

-- Record a round of observations, each lot at most once, already judged (`codes`: why it is not believed, or null).
-- What was said goes to `observation`, what is believed of it to `report`. `dirts` are array literals.
-- An array may be null where it would say nothing: of `said_*`, that what was said is what is believed; of the others,
-- that no report says this (`bounds`: all are exact; `states`: all are open).
-- Order is by (observed_at, seq); the same second without a seq is a duplicate if equal, else the later received wins.
-- A doubt comes with a lot's first report only, from who judged it or from the record itself; later ones leave it, but
-- a count by hand ends what it puts right. Rows are locked in the order of "C", as everywhere.
--   outcomes: applied | stale | duplicate | quarantined
-- Of an applied one, the newest report is what was believed, with what the record adds; of another it is given whole.
CREATE FUNCTION bowei.record_observations(
    lots text[], observed timestamptz[], said_at timestamptz[], seqs bigint[], sources text[],
    capacities integer[], opens integer[], frees integer[], bounds text[], states text[], by_class jsonb[],
    said_capacities integer[], said_opens integer[], said_frees integer[], said_occupied integer[], said_bounds text[],
    said_states text[], said_by_class jsonb[], queues integer[], said_queues integer[], methods text[],
    resets boolean[], dirts text[], raws text[], doubts text[], codes text[]
) RETURNS TABLE (item integer, outcome text, observed_at timestamptz, received_at timestamptz, usual_gap interval,
                 doubt text, revision bigint, report bowei.report) LANGUAGE plpgsql AS $$
DECLARE
    clock_at timestamptz := bowei.now();
    latest timestamptz := clock_at + interval '30 seconds';   -- the same as bowei.domain.observations.FUTURE_TOLERANCE
    applied text[];
    gaps interval[];
    doubted text[];
    revisions bigint[];
    refused_lots text[];
    known_lots text[];
    known text[];
BEGIN
    said_at := coalesce(said_at, observed);
    -- A process whose clock is ahead believes and stamps what is to come: recorded so, it would hide what is true.
    IF (SELECT max(o) FROM unnest(observed) AS o) > latest THEN
        observed := ARRAY(SELECT least(s.o, latest) FROM unnest(observed) WITH ORDINALITY AS s (o, i) ORDER BY s.i);
    END IF;
    -- Asked once for all: joined, it was asked for all of them for each.
    SELECT array_agg(k.lot_id), array_agg(k.doubt) INTO known_lots, known FROM bowei.known_doubts(lots) AS k;
    WITH said AS (
        SELECT s.*, coalesce(s.said_doubt, known[array_position(known_lots, s.lot_id)]) AS doubt
        FROM unnest(lots, observed, said_at, seqs, sources, capacities, opens, frees, bounds, states, by_class,
                    queues, resets, dirts, doubts, codes)
            AS s (lot_id, observed_at, said_at, seq, source_id, capacity, open, free, bound, state, free_by_class,
                  queue_vehicles, reset, dirt, said_doubt, code)
        WHERE s.code IS NULL
        ORDER BY s.lot_id COLLATE "C"
    ), written AS (
        INSERT INTO bowei.report AS r (lot_id, observed_at, said_at, seq, received_at, source_id, capacity, open, free,
                                       bound, state, free_by_class, queue_vehicles, reset, dirt, doubt, revision,
                                       usual_gap, counted_at)
        SELECT s.lot_id, s.observed_at, nullif(s.said_at, s.observed_at), coalesce(s.seq, 0), clock_at, s.source_id,
               s.capacity, s.open, s.free, coalesce(s.bound, 'exact'), coalesce(s.state, 'open'),
               coalesce(s.free_by_class, '{}'), s.queue_vehicles, coalesce(s.reset, false),
               coalesce(s.dirt, '{}')::text[], s.doubt, (s.doubt IS NOT NULL)::integer, interval '60 seconds',
               s.observed_at
        FROM said s
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
        RETURNING r.lot_id, r.usual_gap, r.doubt, r.revision
    )
    SELECT array_agg(w.lot_id), array_agg(w.usual_gap), array_agg(w.doubt), array_agg(w.revision)
        INTO applied, gaps, doubted, revisions FROM written w;

    refused_lots := ARRAY(SELECT s.lot_id FROM unnest(lots, codes) AS s (lot_id, code) WHERE s.code IS NOT NULL);
    IF cardinality(refused_lots) > 0 THEN
        -- What is locked is passed by: the mark is news for people, and not worth a deadlock.
        UPDATE bowei.report r SET refused = codes[array_position(lots, r.lot_id)], revision = r.revision + 1
            WHERE r.lot_id = ANY (ARRAY(
                SELECT n.lot_id FROM bowei.report n
                WHERE n.lot_id = ANY (refused_lots) AND observed[array_position(lots, n.lot_id)] > n.observed_at
                  AND n.refused IS DISTINCT FROM codes[array_position(lots, n.lot_id)] FOR UPDATE SKIP LOCKED));
    END IF;

    -- The reports of those that were not applied are looked up one by one: a join would read those of all lots.
    RETURN QUERY
        WITH said AS MATERIALIZED (
            SELECT s.*, a.lot_id IS NOT NULL AS is_applied, a.usual_gap, a.doubt, a.revision,
                   CASE WHEN a.lot_id IS NULL THEN (SELECT r FROM bowei.report r WHERE r.lot_id = s.lot_id) END AS shown
            FROM unnest(lots, observed, said_at, seqs, sources, coalesce(said_capacities, capacities),
                        coalesce(said_opens, opens), coalesce(said_frees, frees), said_occupied,
                        coalesce(said_bounds, bounds), coalesce(said_states, states), coalesce(said_by_class, by_class),
                        coalesce(said_queues, queues), methods, resets, dirts, raws, codes)
                WITH ORDINALITY AS s (lot_id, observed_at, said_at, seq, source_id, capacity, open, free, occupied, bound,
                                      state, free_by_class, queue_vehicles, method, reset, dirt, raw, code, i)
            LEFT JOIN unnest(applied, gaps, doubted, revisions) AS a (lot_id, usual_gap, doubt, revision)
                ON a.lot_id = s.lot_id
        ), judged AS (
            SELECT s.*, CASE
                WHEN s.code IS NOT NULL THEN 'quarantined'
                WHEN s.is_applied THEN 'applied'
                WHEN (s.observed_at, coalesce(s.seq, 0)) = ((s.shown).observed_at, (s.shown).seq) THEN 'duplicate'
                ELSE 'stale' END AS became
            FROM said s
        ), kept AS (
            INSERT INTO bowei.observation (lot_id, observed_at, said_at, seq, received_at, source_id, capacity, open, free,
                                           occupied, bound, state, free_by_class, queue_vehicles, method, reset, dirt, raw,
                                           outcome, code)
            SELECT j.lot_id, j.observed_at, j.said_at, j.seq, clock_at, j.source_id, j.capacity, j.open, j.free,
                   j.occupied, coalesce(j.bound, 'exact'), coalesce(j.state, 'open'), coalesce(j.free_by_class, '{}'),
                   j.queue_vehicles, j.method, coalesce(j.reset, false), coalesce(j.dirt, '{}')::text[], j.raw,
                   j.became, j.code
            FROM judged j WHERE j.became <> 'duplicate'
        )
        SELECT j.i::integer, j.became, j.observed_at, clock_at, j.usual_gap, j.doubt, j.revision, j.shown FROM judged j ORDER BY j.i;
END $$;

CREATE OR REPLACE FUNCTION bowei.record_observations(
    lots text[], observed timestamptz[], seqs bigint[], sources text[], capacities integer[], opens integer[],
    frees integer[], states text[], by_class jsonb[], queues integer[], codes text[]
) RETURNS TABLE (item integer, outcome text, report bowei.report) LANGUAGE plpgsql AS $$
DECLARE
    items integer[];
    became text[];
BEGIN
    SELECT array_agg(r.item ORDER BY r.item), array_agg(r.outcome ORDER BY r.item) INTO items, became
        FROM bowei.record_observations(
            lots, observed, NULL, seqs, sources, capacities, opens, frees, NULL, states, by_class,
            NULL, NULL, NULL, NULL, NULL, NULL, NULL, queues, NULL, NULL, NULL, NULL, NULL, NULL, codes) AS r;
    RETURN QUERY SELECT d.item, d.outcome, r FROM unnest(items, became) AS d (item, outcome)
        LEFT JOIN bowei.report r ON r.lot_id = lots[d.item] ORDER BY d.item;
END $$;

-- Doubt a lot's newest report, or (null) doubt it no more; give the report. A lot without a report has none to doubt.
CREATE FUNCTION bowei.set_doubt(lot text, code text) RETURNS SETOF bowei.report LANGUAGE plpgsql AS $$
BEGIN
    UPDATE bowei.report r SET doubt = code, revision = r.revision + 1
        WHERE r.lot_id = lot AND r.doubt IS DISTINCT FROM code;
    RETURN QUERY SELECT * FROM bowei.report r WHERE r.lot_id = lot;
END $$;

-- Record one car in or out: as before (0003), and keep whether it parks as a shared one. A bound that is moved by one
-- is a bound still. Of a lot that overflows nobody knows how many cars stand in the aisles: who leaves frees no space.
CREATE FUNCTION bowei.record_passage(
    lot text, id text, direction text, passed timestamptz, source text, plate bytea, moves boolean, as_shared boolean
) RETURNS TABLE (outcome text, report bowei.report) LANGUAGE plpgsql AS $$
DECLARE
    clock_at timestamptz := bowei.now();
    last bowei.report;
    became text;
    moved boolean := false;
    named text;
    h bowei.hold;
BEGIN
    SELECT * INTO last FROM bowei.report r WHERE r.lot_id = lot FOR UPDATE;
    became := CASE WHEN last.counted_at >= passed THEN 'stale' ELSE 'applied' END;
    INSERT INTO bowei.passage (lot_id, passage_id, kind, passed_at, received_at, source_id, outcome, shared)
        VALUES (lot, id, direction, passed, clock_at, source, became, as_shared) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'duplicate', r FROM (SELECT) AS nothing LEFT JOIN bowei.report r ON r.lot_id = lot;
        RETURN;
    END IF;
    IF moves AND became = 'applied' THEN
        UPDATE bowei.report r SET
            free = CASE WHEN direction = 'enter' THEN greatest(r.free - 1, 0)
                        WHEN 'overflow' = ANY (r.dirt) THEN r.free
                        ELSE least(r.free + 1, coalesce(r.capacity, (SELECT l.capacity FROM bowei.lot l WHERE l.lot_id = lot))) END,
            said_at = coalesce(r.said_at, r.observed_at),
            observed_at = greatest(r.observed_at, passed), received_at = clock_at
        WHERE r.lot_id = lot AND r.free IS NOT NULL;
        moved := FOUND;
    END IF;
    IF plate IS NOT NULL AND direction = 'enter' THEN
        SELECT o.diversion_id INTO named FROM bowei.hold o
            WHERE o.plate_hash = plate AND o.lot_id = lot AND o.state IN ('held', 'arrived') AND o.placed_at <= passed
            ORDER BY o.placed_at, o.diversion_id LIMIT 1;
        IF named IS NOT NULL THEN
            SELECT (a.hold).* INTO h FROM bowei.arrive(named, NULL, passed) AS a;
            IF moved AND h.state = 'arrived' AND NOT last.free_by_class ? h.space_class THEN
                PERFORM bowei.begin_stay(h, 'passage', bowei.now());
            END IF;
        END IF;
    ELSIF plate IS NOT NULL THEN
        SELECT o.diversion_id INTO named FROM bowei.hold o
            LEFT JOIN bowei.stay s ON s.diversion_id = o.diversion_id AND s.ordinal = o.ordinal AND s.ended_at IS NULL
            WHERE o.plate_hash = plate AND o.lot_id = lot AND o.arrived_at <= passed
              AND (o.state = 'arrived' OR s.diversion_id IS NOT NULL)
            ORDER BY o.placed_at, o.diversion_id LIMIT 1;
        IF named IS NOT NULL THEN
            PERFORM bowei.leave(named, NULL, 'exit_passage');
        END IF;
    END IF;
    RETURN QUERY SELECT became, r FROM (SELECT) AS nothing LEFT JOIN bowei.report r ON r.lot_id = lot;
END $$;

CREATE OR REPLACE FUNCTION bowei.record_passage(
    lot text, id text, direction text, passed timestamptz, source text, plate bytea, moves boolean
) RETURNS TABLE (outcome text, report bowei.report) LANGUAGE sql AS $$
    SELECT * FROM bowei.record_passage(lot, id, direction, passed, source, plate, moves, false)
$$;

-- How many spaces each option (agreement and class) may still promise: as before (0002), and none by a report that is
-- doubted, or that says no more than how many there are at most.
CREATE OR REPLACE FUNCTION bowei.rooms(agreements text[], classes text[], at timestamptz)
RETURNS TABLE (option integer, lot_id text, space_class text, free_room integer, open_room integer, class_room integer,
               pool_room integer, margin integer)
LANGUAGE sql STABLE AS $$
    SELECT o.option::integer, a.lot_id, o.space_class,
           CASE WHEN r.free IS NOT NULL AND r.state = 'open' AND r.doubt IS NULL AND r.bound <> 'at_most'
                     AND at - r.observed_at <= greatest(6 * r.usual_gap, interval '10 minutes')
                THEN least(r.free, p.capacity) - p.held ELSE 0 END,
           r.open - p.stays - p.held,
           CASE WHEN r.free_by_class ? o.space_class THEN (r.free_by_class ->> o.space_class)::integer - (
               SELECT coalesce(sum(c.held), 0)::integer FROM bowei.pool_promise c
               WHERE c.lot_id = a.lot_id AND c.space_class = o.space_class) END,
           coalesce(l.spaces, 0) - coalesce(q.stays, 0) - coalesce(q.held, 0),
           a.margin
    FROM unnest(agreements, classes) WITH ORDINALITY AS o (agreement_id, space_class, option)
    LEFT JOIN bowei.agreement a USING (agreement_id)
    LEFT JOIN bowei.lot_promise p USING (lot_id)
    LEFT JOIN bowei.report r USING (lot_id)
    LEFT JOIN bowei.lent_at(at, agreements) l USING (agreement_id, space_class)
    LEFT JOIN bowei.pool_promise q USING (agreement_id, space_class)
$$;
