-- A car is known by its plate's hash by each key that is in use: while the key of plates changes, holds were made with
-- the one before.

-- Record one car in or out: as before (0006), with the hashes of its plate; none: no plate was read.
CREATE FUNCTION bowei.note_passage(
    lot text, id text, direction text, passed timestamptz, source text, plates bytea[], moves boolean, as_shared boolean
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
    IF plates <> '{}' AND direction = 'enter' THEN
        SELECT o.diversion_id INTO named FROM bowei.hold o
            WHERE o.plate_hash = ANY (plates) AND o.lot_id = lot AND o.state IN ('held', 'arrived') AND o.placed_at <= passed
            ORDER BY o.placed_at, o.diversion_id LIMIT 1;
        IF named IS NOT NULL THEN
            SELECT (a.hold).* INTO h FROM bowei.arrive(named, NULL, passed) AS a;
            IF moved AND h.state = 'arrived' AND NOT last.free_by_class ? h.space_class THEN
                PERFORM bowei.begin_stay(h, 'passage', bowei.now());
            END IF;
        END IF;
    ELSIF plates <> '{}' THEN
        SELECT o.diversion_id INTO named FROM bowei.hold o
            LEFT JOIN bowei.stay s ON s.diversion_id = o.diversion_id AND s.ordinal = o.ordinal AND s.ended_at IS NULL
            WHERE o.plate_hash = ANY (plates) AND o.lot_id = lot AND o.arrived_at <= passed
              AND (o.state = 'arrived' OR s.diversion_id IS NOT NULL)
            ORDER BY o.placed_at, o.diversion_id LIMIT 1;
        IF named IS NOT NULL THEN
            PERFORM bowei.leave(named, NULL, 'exit_passage');
        END IF;
    END IF;
    RETURN QUERY SELECT became, r FROM (SELECT) AS nothing LEFT JOIN bowei.report r ON r.lot_id = lot;
END $$;


-- What the release before calls.
CREATE OR REPLACE FUNCTION bowei.record_passage(
    lot text, id text, direction text, passed timestamptz, source text, plate bytea, moves boolean, as_shared boolean
) RETURNS TABLE (outcome text, report bowei.report) LANGUAGE sql AS $$
    SELECT * FROM bowei.note_passage(lot, id, direction, passed, source,
                                     CASE WHEN plate IS NULL THEN '{}'::bytea[] ELSE ARRAY[plate] END, moves, as_shared)
$$;
