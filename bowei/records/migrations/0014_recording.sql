-- Recording as before (0006), for less: most reports are newer than what is known of their lot, and those are written to
-- `report` and to `observation` by one statement, from one reading of the arrays. What is left over is looked at after.
-- Core features of Postgres 14 to 18 only.

DROP FUNCTION bowei.record_observations(
    text[], timestamptz[], bigint[], text[], integer[], integer[], integer[], text[], jsonb[], integer[], text[]);
DROP FUNCTION bowei.record_observations(
    text[], timestamptz[], timestamptz[], bigint[], text[], integer[], integer[], integer[], text[], text[], jsonb[],
    integer[], integer[], integer[], integer[], text[], text[], jsonb[], integer[], integer[], text[], boolean[], text[],
    text[], text[], text[]);

-- Record a round of observations, each lot at most once, already judged (`codes`: why it is not believed, or null).
-- What was said goes to `observation`, what is believed of it to `report`. `dirts` are array literals.
-- An array may be null where it would say nothing: of `said_*`, that what was said is what is believed; of the others,
-- that no report says this (`bounds`: all are exact; `states`: all are open).
-- Order is by (observed_at, seq); the same second without a seq is a duplicate if equal, else the later received wins.
-- A doubt comes with a lot's first report only, from who judged it or from the record itself; later ones leave it, but
-- a count by hand ends what it puts right. Rows are locked in the order of "C", as everywhere.
-- One row is answered, for all: `applied` names the items that are now their lots' newest, and what the record adds to
-- each of them stands in the arrays beside it (`revisions` is null where all are 0, `doubts` where nothing is doubted,
-- `observed_at` where all stand as given). `others` are the other items, `outcomes` what became of each of them, and
-- `reports` the newest report of its lot.
--   outcomes: stale | duplicate | quarantined
CREATE FUNCTION bowei.record_observations(
    lots text[], observed timestamptz[], said_at timestamptz[], seqs bigint[], sources text[],
    capacities integer[], opens integer[], frees integer[], bounds text[], states text[], by_class jsonb[],
    said_capacities integer[], said_opens integer[], said_frees integer[], said_occupied integer[], said_bounds text[],
    said_states text[], said_by_class jsonb[], queues integer[], said_queues integer[], methods text[],
    resets boolean[], dirts text[], raws text[], doubts text[], codes text[],
    OUT received_at timestamptz, OUT applied integer[], OUT usual_gaps interval[], OUT observed_at timestamptz[],
    OUT doubted text[], OUT revisions bigint[],
    OUT others integer[], OUT outcomes text[], OUT reports bowei.report[]
) LANGUAGE plpgsql AS $$
DECLARE
    latest timestamptz;
    first_lots text[];
BEGIN
    received_at := bowei.now();
    latest := received_at + interval '30 seconds';   -- the same as bowei.domain.observations.FUTURE_TOLERANCE
    said_at := coalesce(said_at, observed);
    -- A process whose clock is ahead believes and stamps what is to come: recorded so, it would hide what is true.
    IF latest < ANY (observed) THEN
        observed := ARRAY(SELECT least(s.o, latest) FROM unnest(observed) WITH ORDINALITY AS s (o, i) ORDER BY s.i);
        observed_at := observed;
    END IF;
    WITH said AS MATERIALIZED (
        SELECT s.* FROM unnest(
            lots, observed, said_at, seqs, sources, capacities, opens, frees, bounds, states, by_class, queues,
            coalesce(said_capacities, capacities), coalesce(said_opens, opens), coalesce(said_frees, frees),
            said_occupied, coalesce(said_bounds, bounds), coalesce(said_states, states),
            coalesce(said_by_class, by_class), coalesce(said_queues, queues), methods, resets, dirts, raws, doubts, codes)
            WITH ORDINALITY AS s (
            lot_id, at, said_at, seq, source_id, capacity, open, free, bound, state, free_by_class, queue_vehicles,
            said_capacity, said_open, said_free, occupied, said_bound, said_state, said_by_class, said_queue, method,
            reset, dirt, raw, doubt, code, i)
        WHERE s.code IS NULL
        ORDER BY s.lot_id COLLATE "C"
    ), written AS (
        INSERT INTO bowei.report AS r (lot_id, observed_at, said_at, seq, received_at, source_id, capacity, open, free,
                                       bound, state, free_by_class, queue_vehicles, reset, dirt, doubt, revision,
                                       usual_gap, counted_at)
        SELECT s.lot_id, s.at, nullif(s.said_at, s.at), coalesce(s.seq, 0), record_observations.received_at, s.source_id,
               s.capacity, s.open, s.free, coalesce(s.bound, 'exact'), coalesce(s.state, 'open'),
               coalesce(s.free_by_class, '{}'), s.queue_vehicles, coalesce(s.reset, false),
               coalesce(s.dirt, '{}')::text[], s.doubt, (s.doubt IS NOT NULL)::integer, interval '60 seconds', s.at
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
        RETURNING r.lot_id, r.usual_gap, r.doubt, r.revision, r.xmax = 0 AS is_first  -- xmax: of a row that was there before
    ), newest AS MATERIALIZED (
        SELECT s.*, w.usual_gap, w.doubt AS doubted, w.revision, w.is_first
        FROM said s JOIN written w ON w.lot_id = s.lot_id
    ), kept AS (
        INSERT INTO bowei.observation (lot_id, observed_at, said_at, seq, received_at, source_id, capacity, open, free,
                                       occupied, bound, state, free_by_class, queue_vehicles, method, reset, dirt, raw,
                                       outcome)
        SELECT n.lot_id, n.at, n.said_at, n.seq, record_observations.received_at, n.source_id, n.said_capacity,
               n.said_open, n.said_free, n.occupied, coalesce(n.said_bound, 'exact'), coalesce(n.said_state, 'open'),
               coalesce(n.said_by_class, '{}'), n.said_queue, n.method, coalesce(n.reset, false),
               coalesce(n.dirt, '{}')::text[], n.raw, 'applied'
        FROM newest n
    )
    SELECT array_agg(n.i), array_agg(n.usual_gap), array_agg(n.doubted), nullif(array_agg(n.revision), array_fill(0::bigint, ARRAY[count(*)::integer])),
           array_agg(n.lot_id) FILTER (WHERE n.is_first)
        INTO applied, usual_gaps, doubted, revisions, first_lots FROM newest n;

    IF first_lots IS NOT NULL THEN
        UPDATE bowei.report r SET doubt = k.doubt, revision = 1
            FROM bowei.known_doubts(first_lots) AS k WHERE r.lot_id = k.lot_id AND r.doubt IS NULL;
        IF FOUND THEN
            SELECT array_agg(r.doubt ORDER BY a.n), array_agg(r.revision ORDER BY a.n) INTO doubted, revisions
                FROM unnest(applied) WITH ORDINALITY AS a (i, n) JOIN bowei.report r ON r.lot_id = lots[a.i];
        END IF;
    END IF;
    doubted := CASE WHEN array_remove(doubted, NULL) <> '{}' THEN doubted END;
    IF coalesce(cardinality(applied), 0) = cardinality(lots) THEN
        RETURN;
    END IF;

    IF array_remove(codes, NULL) <> '{}' THEN
        -- What is locked is passed by: the mark is news for people, and not worth a deadlock.
        UPDATE bowei.report r SET refused = codes[array_position(lots, r.lot_id)], revision = r.revision + 1
            WHERE r.lot_id = ANY (ARRAY(
                SELECT n.lot_id FROM unnest(lots, observed, codes) AS s (lot_id, at, code)
                JOIN bowei.report n ON n.lot_id = s.lot_id AND s.at > n.observed_at AND n.refused IS DISTINCT FROM s.code
                WHERE s.code IS NOT NULL FOR UPDATE OF n SKIP LOCKED));
    END IF;

    -- Their reports are looked up one by one: a join would read those of all lots.
    WITH said AS MATERIALIZED (
        SELECT s.*, (SELECT r FROM bowei.report r WHERE r.lot_id = s.lot_id) AS shown
        FROM unnest(lots, observed, said_at, seqs, sources, coalesce(said_capacities, capacities),
                    coalesce(said_opens, opens), coalesce(said_frees, frees), said_occupied,
                    coalesce(said_bounds, bounds), coalesce(said_states, states), coalesce(said_by_class, by_class),
                    coalesce(said_queues, queues), methods, resets, dirts, raws, codes)
            WITH ORDINALITY AS s (lot_id, at, said_at, seq, source_id, capacity, open, free, occupied, bound, state,
                                  free_by_class, queue_vehicles, method, reset, dirt, raw, code, i)
        WHERE s.i <> ALL (coalesce(applied, '{}'))
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
        SELECT j.lot_id, j.at, j.said_at, j.seq, record_observations.received_at, j.source_id, j.capacity, j.open,
               j.free, j.occupied, coalesce(j.bound, 'exact'), coalesce(j.state, 'open'),
               coalesce(j.free_by_class, '{}'), j.queue_vehicles, j.method, coalesce(j.reset, false),
               coalesce(j.dirt, '{}')::text[], j.raw, j.became, j.code
        FROM judged j WHERE j.became <> 'duplicate'
    )
    SELECT array_agg(j.i), array_agg(j.became), array_agg(j.shown) INTO others, outcomes, reports FROM judged j;
END $$;
