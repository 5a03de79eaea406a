-- What lots said, kept by day and summed up by hour; and what could be read but not meant, kept until it can be.
-- Every function here may be called again at any time: what was done is not done twice. Core features of Postgres
-- 14 to 18 only.

-- ------------------------------------------------------------------------------------------- observations, by the day
--
-- A day (UTC) of reports is one partition, so that forgetting a day is dropping a table and leaves nothing to clean up.
-- Days are of `received_at`, which we write: no sender's clock decides where a row goes. Rows for which no day was made
-- go to `observation_undated`; the keeper makes their days as soon as it looks.

ALTER TABLE bowei.observation RENAME TO observation_before;
ALTER TABLE bowei.observation_before ALTER COLUMN observation_id DROP IDENTITY;
ALTER INDEX bowei.observation_lot_id_observed_at_idx RENAME TO observation_before_lot;

CREATE SEQUENCE bowei.observation_number;
CREATE TABLE bowei.observation (               -- everything that was said, as it was said
    observation_id bigint NOT NULL DEFAULT nextval('bowei.observation_number'),
    lot_id      text COLLATE "C" NOT NULL,
    observed_at timestamptz NOT NULL,
    seq         bigint,
    received_at timestamptz NOT NULL,
    source_id   text COLLATE "C" NOT NULL,
    capacity    integer,
    open        integer,
    free        integer,
    state       text NOT NULL,
    free_by_class jsonb,
    outcome     text NOT NULL
        CONSTRAINT observation_outcome_check CHECK (outcome IN ('applied', 'stale', 'quarantined')),
    code        text
) PARTITION BY RANGE (received_at);
CREATE INDEX observation_by_lot ON bowei.observation (lot_id, observed_at);
CREATE INDEX observation_by_receipt ON bowei.observation USING brin (received_at);
CREATE TABLE bowei.observation_undated PARTITION OF bowei.observation DEFAULT;

-- A database that was used before has one partition for all that came before tomorrow; retention ends it as a whole.
DO $$
DECLARE
    ends date;
BEGIN
    SELECT (greatest(max(received_at), bowei.now()) AT TIME ZONE 'UTC')::date + 1 INTO ends FROM bowei.observation_before;
    IF NOT EXISTS (SELECT FROM bowei.observation_before) THEN
        DROP TABLE bowei.observation_before;
        RETURN;
    END IF;
    PERFORM setval('bowei.observation_number', (SELECT max(observation_id) FROM bowei.observation_before));
    EXECUTE format('ALTER TABLE bowei.observation_before RENAME TO %I', 'observation_until_' || to_char(ends, 'YYYYMMDD'));
    EXECUTE format('ALTER TABLE bowei.observation ATTACH PARTITION bowei.%I FOR VALUES FROM (MINVALUE) TO (%L)',
                   'observation_until_' || to_char(ends, 'YYYYMMDD'), ends::timestamp AT TIME ZONE 'UTC');
END $$;

CREATE FUNCTION bowei.day_start(day date) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT day::timestamp AT TIME ZONE 'UTC'
$$;

CREATE FUNCTION bowei.utc_day(at timestamptz) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (at AT TIME ZONE 'UTC')::date
$$;

-- The partitions with the day on which each ends (it holds what came before).
CREATE VIEW bowei.observation_day AS
    SELECT c.relname::text AS name,
           to_date(right(c.relname, 8), 'YYYYMMDD') + CASE WHEN c.relname LIKE 'observation\_until\_%' THEN 0 ELSE 1 END AS ends
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'bowei.observation'::regclass AND c.relname <> 'observation_undated';

-- Make one day, and move there what came before it was made; say whether it was missing.
-- Reports wait meanwhile, at the door and not inside: one that was on its way to the undated would not belong there
-- any more, and fail. So do readers: one that waited inside would not know the new day, and miss what moved there.
CREATE FUNCTION bowei.make_day(day date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    made text := 'observation_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF EXISTS (SELECT FROM bowei.observation_day d WHERE d.name = made
               OR d.name LIKE 'observation\_until\_%' AND day < d.ends) THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE bowei.%I (LIKE bowei.observation INCLUDING ALL)', made);
    LOCK TABLE ONLY bowei.observation IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('WITH moved AS (DELETE FROM bowei.observation_undated WHERE received_at >= %L AND received_at < %L'
                   ' RETURNING *) INSERT INTO bowei.%I SELECT * FROM moved',
                   bowei.day_start(day), bowei.day_start(day + 1), made);
    EXECUTE format('ALTER TABLE bowei.observation ATTACH PARTITION bowei.%I FOR VALUES FROM (%L) TO (%L)',
                   made, bowei.day_start(day), bowei.day_start(day + 1));
    RETURN true;
END $$;

-- The days to make: today, as many as `ahead` after it, and those of which rows came undated.
CREATE FUNCTION bowei.missing_days(ahead integer) RETURNS SETOF date LANGUAGE sql VOLATILE AS $$
    WITH wanted AS (
        SELECT bowei.utc_day(bowei.now()) + n AS day FROM generate_series(0, ahead) AS n
        UNION
        SELECT bowei.utc_day(received_at) FROM bowei.observation_undated
    )
    SELECT w.day FROM wanted w
    WHERE NOT EXISTS (SELECT FROM bowei.observation_day d WHERE d.name = 'observation_' || to_char(w.day, 'YYYYMMDD')
                      OR d.name LIKE 'observation\_until\_%' AND w.day < d.ends)
    ORDER BY w.day
$$;

-- -------------------------------------------------------------------------------------------- observations, by the hour

CREATE TABLE bowei.hourly (                    -- what a lot said of one hour (UTC), by when it was observed
    lot_id      text COLLATE "C" NOT NULL,
    hour        timestamptz NOT NULL,
    reports     integer NOT NULL,              -- believed and quarantined; repeats were never kept
    believed    integer NOT NULL,              -- applied and stale: a late report is history all the same
    quarantined integer NOT NULL,
    counted     integer NOT NULL,              -- believed ones that said `free`; what follows is of these
    free_min    integer,
    free_mean   double precision,              -- over the reports, not over the time
    free_max    integer,
    free_last   integer,
    free_values integer NOT NULL,              -- how many different ones: 1 may be stuck, 2 a lot that only says full or not
    free_changes integer NOT NULL,             -- how often one differed from the one before, within the hour
    capacity_last integer,                     -- null: it was not said
    first_observed_at timestamptz NOT NULL,
    last_observed_at  timestamptz NOT NULL,
    longest_gap interval,                      -- between two believed reports of the hour; null: fewer than two
    PRIMARY KEY (lot_id, hour)
);
CREATE INDEX hourly_by_hour ON bowei.hourly USING brin (hour);

CREATE TABLE bowei.hour_due (                  -- which hours of which lots have reports that were not summed up yet
    hour   timestamptz NOT NULL,
    lot_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (hour, lot_id)
);

CREATE TABLE bowei.history_mark (              -- how far the keeper is
    one          boolean PRIMARY KEY DEFAULT true CHECK (one),
    noted_to     timestamptz NOT NULL,         -- what was received before it stands in hour_due or is summed up
    forgotten_to timestamptz,                  -- what was received before it was dropped
    looked_at    timestamptz,                  -- a look: what was received before it is visible once every
    looked_xid   xid8,                         --   transaction before this one has ended
    looked_real  timestamptz
);

-- Note which hours have reports that came in since the last time, up to the last full hour; say how far it is now.
-- A report is dated before it is committed. So the note goes only up to a look since when every transaction that ran
-- has ended, `settled_after` real time ago, for those that had their date and not yet their number.
CREATE FUNCTION bowei.note_hours(settled_after interval) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    m bowei.history_mark;
    upto timestamptz;
BEGIN
    SELECT * INTO m FROM bowei.history_mark FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO bowei.history_mark (noted_to)
            SELECT date_trunc('hour', coalesce(min(received_at), bowei.now()), 'UTC') FROM bowei.observation
            RETURNING * INTO m;
    END IF;
    IF m.looked_xid IS NULL OR pg_snapshot_xmin(pg_current_snapshot()) >= m.looked_xid
                               AND clock_timestamp() >= m.looked_real + settled_after THEN
        -- At most a day at once, however long nobody kept history.
        upto := least(date_trunc('hour', coalesce(m.looked_at, m.noted_to), 'UTC'), m.noted_to + interval '1 day');
        IF upto > m.noted_to THEN
            INSERT INTO bowei.hour_due (hour, lot_id)
                SELECT DISTINCT date_trunc('hour', o.observed_at, 'UTC'), o.lot_id FROM bowei.observation o
                WHERE o.received_at >= m.noted_to AND o.received_at < upto
                ON CONFLICT DO NOTHING;
            m.noted_to := upto;
        END IF;
        UPDATE bowei.history_mark SET noted_to = m.noted_to, looked_at = bowei.now(),
            looked_real = clock_timestamp(), looked_xid = pg_snapshot_xmax(pg_current_snapshot());
    END IF;
    RETURN m.noted_to;
END $$;

-- Sum up one hour of at most `most` lots that are due, the oldest first; say how many there were. All of the hour is
-- read again, so that late reports are in it; an hour whose days were dropped in part is left as it was summed up.
CREATE FUNCTION bowei.roll_up(most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    h timestamptz;
    lots text[];
    whole boolean;
BEGIN
    SELECT d.hour INTO h FROM bowei.hour_due d ORDER BY d.hour LIMIT 1;
    WITH taken AS (
        DELETE FROM bowei.hour_due d
        USING (SELECT s.lot_id FROM bowei.hour_due s WHERE s.hour = h ORDER BY s.lot_id LIMIT most) AS few
        WHERE d.hour = h AND d.lot_id = few.lot_id
        RETURNING d.lot_id
    )
    SELECT array_agg(t.lot_id) INTO lots FROM taken t;
    IF lots IS NULL THEN
        RETURN 0;
    END IF;
    -- A clock may run 30 s ahead of ours: a report of an hour may have been received in the hour before.
    SELECT coalesce(bool_and(m.forgotten_to IS NULL OR m.forgotten_to <= h - interval '1 minute'), true)
        INTO whole FROM bowei.history_mark m;
    INSERT INTO bowei.hourly AS k (lot_id, hour, reports, believed, quarantined, counted, free_min, free_mean, free_max,
            free_last, free_values, free_changes, capacity_last, first_observed_at, last_observed_at, longest_gap)
        WITH said AS (
            SELECT o.lot_id, o.observed_at, o.free, o.capacity, o.outcome <> 'quarantined' AS believed,
                   o.outcome <> 'quarantined' AND o.free IS NOT NULL AS counted,
                   coalesce(o.seq, 0) AS seq, o.observation_id AS id
            FROM bowei.observation o
            WHERE o.lot_id = ANY (lots) AND o.observed_at >= h AND o.observed_at < h + interval '1 hour'
              AND o.received_at >= h - interval '1 minute'
        ), placed AS (
            SELECT s.*,
                   s.observed_at - lag(s.observed_at) OVER (PARTITION BY s.lot_id, s.believed ORDER BY s.observed_at) AS gap,
                   s.free <> lag(s.free) OVER (PARTITION BY s.lot_id, s.counted ORDER BY s.observed_at, s.seq, s.id) AS changed
            FROM said s
        )
        SELECT p.lot_id, h, count(*), count(*) FILTER (WHERE p.believed), count(*) FILTER (WHERE NOT p.believed),
               count(*) FILTER (WHERE p.counted), min(p.free) FILTER (WHERE p.counted),
               avg(p.free) FILTER (WHERE p.counted), max(p.free) FILTER (WHERE p.counted),
               (array_agg(p.free ORDER BY p.observed_at DESC, p.seq DESC, p.id DESC) FILTER (WHERE p.counted))[1],
               count(DISTINCT p.free) FILTER (WHERE p.counted), count(*) FILTER (WHERE p.counted AND p.changed),
               (array_agg(p.capacity ORDER BY p.observed_at DESC, p.seq DESC, p.id DESC)
                    FILTER (WHERE p.believed AND p.capacity IS NOT NULL))[1],
               min(p.observed_at), max(p.observed_at), max(p.gap) FILTER (WHERE p.believed)
        FROM placed p GROUP BY p.lot_id
        ON CONFLICT (lot_id, hour) DO UPDATE SET
            reports = excluded.reports, believed = excluded.believed, quarantined = excluded.quarantined,
            counted = excluded.counted, free_min = excluded.free_min, free_mean = excluded.free_mean,
            free_max = excluded.free_max, free_last = excluded.free_last, free_values = excluded.free_values,
            free_changes = excluded.free_changes, capacity_last = excluded.capacity_last,
            first_observed_at = excluded.first_observed_at, last_observed_at = excluded.last_observed_at,
            longest_gap = excluded.longest_gap
        WHERE whole;
    RETURN cardinality(lots);
END $$;

-- ------------------------------------------------------------------------------------------------------- forgetting
--
-- Passages are not partitioned: (lot, id, direction) must be unique over all days, for a lot that sends its whole day
-- again must not count its cars twice, and a partitioned table is unique only together with what it is partitioned by.
-- There is one for each car, not one every few seconds, so they are deleted by slices; autovacuum makes their room the
-- room of new ones. A repeat of a forgotten passage is older than its lot's last count: it is `stale`, and moves nothing.

CREATE INDEX passage_by_receipt ON bowei.passage (received_at);

-- Drop the oldest partition that ended before `kept_from` and is summed up, with the hour after it, of which a clock
-- that runs ahead may have reported too early; its name, or null where there is none.
CREATE FUNCTION bowei.drop_day(kept_from timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    oldest record;
    ended timestamptz;
BEGIN
    SELECT d.name, d.ends INTO oldest FROM bowei.observation_day d ORDER BY d.ends LIMIT 1;
    ended := bowei.day_start(oldest.ends);
    IF oldest.name IS NULL OR ended > kept_from
       OR NOT EXISTS (SELECT FROM bowei.history_mark m WHERE m.noted_to >= ended + interval '1 hour')
       OR EXISTS (SELECT FROM bowei.hour_due d WHERE d.hour <= ended) THEN
        RETURN NULL;
    END IF;
    EXECUTE format('DROP TABLE bowei.%I', oldest.name);
    UPDATE bowei.history_mark SET forgotten_to = ended;
    RETURN oldest.name;
END $$;

CREATE FUNCTION bowei.forget_passages(kept_from timestamptz, most integer) RETURNS integer LANGUAGE sql VOLATILE AS $$
    WITH gone AS (
        DELETE FROM bowei.passage WHERE ctid = ANY (ARRAY(
            SELECT p.ctid FROM bowei.passage p WHERE p.received_at < kept_from ORDER BY p.received_at LIMIT most))
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;

CREATE FUNCTION bowei.forget_hours(kept_from timestamptz, most integer) RETURNS integer LANGUAGE sql VOLATILE AS $$
    WITH gone AS (
        DELETE FROM bowei.hourly WHERE ctid = ANY (ARRAY(
            SELECT k.ctid FROM bowei.hourly k WHERE k.hour < kept_from LIMIT most))
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;

-- ------------------------------------------------------------------------------------------------------ dead letters

CREATE TABLE bowei.dead_letter (               -- what a known source said that could be read and not be meant
    letter_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id   text COLLATE "C" NOT NULL,
    way         text NOT NULL,
    reason      text NOT NULL,
    lot_code    text COLLATE "C",              -- the lot's name in the source's own words, where it was said
    payload     bytea NOT NULL CHECK (octet_length(payload) <= 16384),
    received_at timestamptz NOT NULL,
    digest      bytea NOT NULL CHECK (octet_length(digest) = 32),
    tries       integer NOT NULL DEFAULT 0,
    tried_at    timestamptz,
    redelivered_at timestamptz,
    UNIQUE (source_id, digest)                 -- the same again is the same letter
);
CREATE INDEX dead_letter_by_source ON bowei.dead_letter (source_id, letter_id);
CREATE INDEX dead_letter_by_receipt ON bowei.dead_letter (received_at);

-- Keep letters, at most `most` of a source: the oldest go. Gives how many are new, and how many went.
CREATE FUNCTION bowei.keep_letters(
    sources text[], ways text[], reasons text[], codes text[], payloads bytea[], digests bytea[], most integer
) RETURNS TABLE (kept integer, dropped integer) LANGUAGE plpgsql AS $$
BEGIN
    -- One after the other for each source, in one order everywhere, so that the bound holds and nobody waits in a ring.
    PERFORM pg_advisory_xact_lock(k) FROM (
        SELECT DISTINCT hashtextextended(s, 5) AS k FROM unnest(sources) AS s ORDER BY k) AS sorted;
    INSERT INTO bowei.dead_letter (source_id, way, reason, lot_code, payload, received_at, digest)
        SELECT s.source_id, s.way, s.reason, s.lot_code, s.payload, bowei.now(), s.digest
        FROM unnest(sources, ways, reasons, codes, payloads, digests) WITH ORDINALITY
            AS s (source_id, way, reason, lot_code, payload, digest, i)
        ORDER BY s.i
        ON CONFLICT (source_id, digest) DO NOTHING;
    GET DIAGNOSTICS kept = ROW_COUNT;
    DELETE FROM bowei.dead_letter d USING (
        SELECT s.source_id, (SELECT l.letter_id FROM bowei.dead_letter l WHERE l.source_id = s.source_id
                             ORDER BY l.letter_id DESC OFFSET most LIMIT 1) AS last
        FROM (SELECT DISTINCT u.source_id FROM unnest(sources) AS u (source_id)) AS s) AS bound
    WHERE d.source_id = bound.source_id AND d.letter_id <= bound.last;
    GET DIAGNOSTICS dropped = ROW_COUNT;
    RETURN NEXT;
END $$;

CREATE FUNCTION bowei.forget_letters(kept_from timestamptz, most integer) RETURNS integer LANGUAGE sql VOLATILE AS $$
    WITH gone AS (
        DELETE FROM bowei.dead_letter WHERE letter_id = ANY (ARRAY(
            SELECT l.letter_id FROM bowei.dead_letter l WHERE l.received_at < kept_from
            ORDER BY l.received_at LIMIT most))
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;
