-- Sensors that each watch one space: what the newest of each says, and how many spaces of a lot are known from them.

CREATE TABLE bowei.sensed_lot (
    lot_id   text COLLATE "C" PRIMARY KEY REFERENCES bowei.lot ON DELETE CASCADE,
    version  bigint NOT NULL DEFAULT 0,        -- grows with every sign that was applied, under the row's lock
    newest_at timestamptz NOT NULL             -- of all signs that were applied; never goes back
);

CREATE TABLE bowei.space_sensor (
    source_id text COLLATE "C" NOT NULL REFERENCES bowei.source ON DELETE CASCADE,
    device_id text COLLATE "C" NOT NULL,
    lot_id    text COLLATE "C" NOT NULL REFERENCES bowei.lot ON DELETE CASCADE,
    occupied  boolean,                         -- null: not known, as after a start
    f_cnt     bigint NOT NULL,                 -- the sensor's own count of what it sent; begins anew when it joins again
    said_at   timestamptz NOT NULL,
    PRIMARY KEY (source_id, device_id)
) WITH (fillfactor = 70);
CREATE INDEX ON bowei.space_sensor (lot_id);

-- Note what sensors said, and count the spaces of every lot that was named. The network's time orders what one sensor
-- says, because its own count begins anew when it joins again; the same time and count are a repeat.
-- What lies over 30 s in the future is rejected, by this clock, which decides: else nothing said until then would count.
--   outcomes: applied | stale | duplicate | rejected
CREATE FUNCTION bowei.note_spaces(
    sources text[], devices text[], lots text[], occupations boolean[], counters bigint[], times timestamptz[],
    silent_after interval
) RETURNS TABLE (item integer, outcome text, version bigint, counted_at timestamptz, free integer, known integer,
                 spaces integer)
LANGUAGE plpgsql AS $$
DECLARE
    clock_at timestamptz := bowei.now();
    latest timestamptz := clock_at + interval '30 seconds';   -- the same as bowei.domain.observations.FUTURE_TOLERANCE
    became text[] := '{}';
    last bowei.space_sensor;
    n integer;
BEGIN
    -- Locked in ascending order, so that no two batches wait for each other, and before anything is counted, so that the
    -- versions of a lot are in the order of its counts.
    INSERT INTO bowei.sensed_lot AS s (lot_id, newest_at)
        SELECT l, min(t) FROM unnest(lots, times) AS u (l, t) WHERE t <= latest GROUP BY l ORDER BY l
        ON CONFLICT (lot_id) DO UPDATE SET version = s.version;
    FOR n IN 1 .. cardinality(devices) LOOP
        SELECT * INTO last FROM bowei.space_sensor s
            WHERE s.source_id = sources[n] AND s.device_id = devices[n] FOR UPDATE;
        became[n] := CASE
            WHEN times[n] > latest THEN 'rejected'
            WHEN last.device_id IS NULL OR (times[n], counters[n]) > (last.said_at, last.f_cnt) THEN 'applied'
            WHEN (times[n], counters[n]) = (last.said_at, last.f_cnt) THEN 'duplicate'
            ELSE 'stale' END;
        CONTINUE WHEN became[n] <> 'applied';
        INSERT INTO bowei.space_sensor AS s (source_id, device_id, lot_id, occupied, f_cnt, said_at)
            VALUES (sources[n], devices[n], lots[n], occupations[n], counters[n], times[n])
            ON CONFLICT (source_id, device_id) DO UPDATE SET lot_id = excluded.lot_id, occupied = excluded.occupied,
                f_cnt = excluded.f_cnt, said_at = excluded.said_at;
        UPDATE bowei.sensed_lot s SET version = s.version + 1, newest_at = greatest(s.newest_at, times[n])
            WHERE s.lot_id = lots[n];
    END LOOP;
    RETURN QUERY
        WITH counted AS (
            SELECT p.lot_id,
                   count(*) FILTER (WHERE NOT p.occupied AND p.said_at > clock_at - silent_after)::integer AS free,
                   count(p.occupied) FILTER (WHERE p.said_at > clock_at - silent_after)::integer AS known,
                   count(*)::integer AS spaces
            FROM bowei.space_sensor p WHERE p.lot_id = ANY (lots) GROUP BY p.lot_id
        )
        SELECT u.i::integer, became[u.i], s.version, s.newest_at,
               coalesce(c.free, 0), coalesce(c.known, 0), coalesce(c.spaces, 0)
        FROM unnest(lots) WITH ORDINALITY AS u (l, i)
        LEFT JOIN bowei.sensed_lot s ON s.lot_id = u.l LEFT JOIN counted c ON c.lot_id = u.l
        ORDER BY u.i;
END $$;
