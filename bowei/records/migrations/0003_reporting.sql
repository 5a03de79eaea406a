-- How reports are recorded. Nothing here waits for a hold: counts go to `report`, promises stay where they are.

-- Record a round of observations, each lot at most once, already judged (`codes`: why it is not believed, or null).
-- Order is by (observed_at, seq); the same second without a seq is a duplicate if equal, else the later received wins.
--   outcomes: applied | stale | duplicate | quarantined
CREATE FUNCTION bowei.record_observations(
    lots text[], observed timestamptz[], seqs bigint[], sources text[], capacities integer[], opens integer[],
    frees integer[], states text[], by_class jsonb[], queues integer[], codes text[]
) RETURNS TABLE (item integer, outcome text, report bowei.report) LANGUAGE plpgsql AS $$
DECLARE
    clock_at timestamptz := bowei.now();
    applied text[];
BEGIN
    WITH said AS (
        SELECT * FROM unnest(lots, observed, seqs, sources, capacities, opens, frees, states, by_class, queues, codes)
            AS s (lot_id, observed_at, seq, source_id, capacity, open, free, state, free_by_class, queue_vehicles, code)
        WHERE s.code IS NULL
        ORDER BY s.lot_id
    ), written AS (
        INSERT INTO bowei.report AS r (lot_id, observed_at, seq, received_at, source_id, capacity, open, free, state,
                                       free_by_class, queue_vehicles, usual_gap, counted_at)
        SELECT s.lot_id, s.observed_at, coalesce(s.seq, 0), clock_at, s.source_id, s.capacity, s.open, s.free, s.state,
               coalesce(s.free_by_class, '{}'), s.queue_vehicles, interval '60 seconds', s.observed_at
        FROM said s
        ON CONFLICT (lot_id) DO UPDATE SET
            observed_at = excluded.observed_at, seq = excluded.seq, received_at = excluded.received_at,
            source_id = excluded.source_id, capacity = excluded.capacity, open = excluded.open, free = excluded.free,
            state = excluded.state, free_by_class = excluded.free_by_class, queue_vehicles = excluded.queue_vehicles,
            counted_at = CASE WHEN excluded.free IS NULL THEN r.counted_at ELSE excluded.observed_at END,
            usual_gap = CASE WHEN excluded.observed_at = r.observed_at THEN r.usual_gap ELSE
                -- The same rule as bowei.domain.freshness.learn_gap; a contract test compares them.
                r.usual_gap + 0.2 * (least(excluded.observed_at - r.observed_at, interval '6 hours',
                                           4 * greatest(r.usual_gap, interval '60 seconds')) - r.usual_gap) END
        WHERE (excluded.observed_at, excluded.seq) > (r.observed_at, r.seq)
           OR (excluded.observed_at, excluded.seq) = (r.observed_at, r.seq) AND excluded.seq = 0
              AND (excluded.capacity, excluded.open, excluded.free, excluded.state, excluded.free_by_class)
                  IS DISTINCT FROM (r.capacity, r.open, r.free, r.state, r.free_by_class)
        RETURNING r.lot_id
    )
    SELECT array_agg(w.lot_id) INTO applied FROM written w;

    RETURN QUERY
        WITH said AS (
            SELECT * FROM unnest(lots, observed, seqs, sources, capacities, opens, frees, states, by_class, codes)
                WITH ORDINALITY AS s (lot_id, observed_at, seq, source_id, capacity, open, free, state, free_by_class,
                                      code, i)
        ), judged AS (
            SELECT s.*, CASE
                WHEN s.code IS NOT NULL THEN 'quarantined'
                WHEN s.lot_id = ANY (applied) THEN 'applied'
                WHEN (s.observed_at, coalesce(s.seq, 0)) = (r.observed_at, r.seq) THEN 'duplicate'
                ELSE 'stale' END AS became,
                r.*::bowei.report AS shown
            FROM said s LEFT JOIN bowei.report r ON r.lot_id = s.lot_id
        ), kept AS (
            INSERT INTO bowei.observation (lot_id, observed_at, seq, received_at, source_id, capacity, open, free, state,
                                           free_by_class, outcome, code)
            SELECT j.lot_id, j.observed_at, j.seq, clock_at, j.source_id, j.capacity, j.open, j.free,
                   j.state, j.free_by_class, j.became, j.code
            FROM judged j WHERE j.became <> 'duplicate'
        )
        SELECT j.i::integer, j.became, j.shown FROM judged j ORDER BY j.i;
END $$;

-- Record one car in or out. A repeat of (lot, id, direction) changes nothing. An entering plate that has a hold here
-- arrives by it; a leaving plate ends its stay. A passage from before the hold, or before the arrival, is of another
-- visit. `moves` says that the lot's count follows from passages: then a passage later than the last full count moves
-- it by one, and if it names the car of a hold it has put that car into the count: the hold is settled at once.
-- (Not where the lot counts the hold's class by itself: no passage moves that count.)
--   outcomes: applied | stale | duplicate
CREATE FUNCTION bowei.record_passage(
    lot text, id text, direction text, passed timestamptz, source text, plate bytea, moves boolean
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
    INSERT INTO bowei.passage (lot_id, passage_id, kind, passed_at, received_at, source_id, outcome)
        VALUES (lot, id, direction, passed, clock_at, source, became) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'duplicate', r FROM (SELECT) AS nothing LEFT JOIN bowei.report r ON r.lot_id = lot;
        RETURN;
    END IF;
    IF moves AND became = 'applied' THEN
        UPDATE bowei.report r SET
            free = CASE WHEN direction = 'enter' THEN greatest(r.free - 1, 0)
                        ELSE least(r.free + 1, coalesce(r.capacity, (SELECT l.capacity FROM bowei.lot l WHERE l.lot_id = lot))) END,
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
