-- Trust: how far each source and lot is believed, why, and since when; what was found of a lot, and what changed.
-- The rules are in bowei.domain.trust and bowei.domain.assessing; here is what they need to see, read by the set, and
-- the one place where a lot's doubt follows from all of it. Core features of Postgres 14 to 18 only.
-- Everything here locks in this order: source, source_trust or heartbeat, lot_quality, report; each by its key.

-- ------------------------------------------------------------------------------------------------------------ tables

CREATE TABLE bowei.source_trust (
    source_id   text COLLATE "C" NOT NULL REFERENCES bowei.source ON DELETE CASCADE,
    lot_id      text COLLATE "C" NOT NULL DEFAULT '',      -- '': the source as a whole
    state       text NOT NULL CHECK (state IN ('probation', 'live', 'suspended')),
    since       timestamptz NOT NULL,
    counted_from timestamptz NOT NULL,
    good        integer NOT NULL DEFAULT 0,
    bad         integer NOT NULL DEFAULT 0,
    bad_from    timestamptz,
    pinned      boolean NOT NULL DEFAULT false,            -- a person said so: no rule changes it
    reason      text NOT NULL,
    evidence    jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (source_id, lot_id)
) WITH (fillfactor = 80);
CREATE INDEX source_trust_by_lot ON bowei.source_trust (lot_id);

CREATE TABLE bowei.lot_quality (
    lot_id      text COLLATE "C" PRIMARY KEY REFERENCES bowei.lot ON DELETE CASCADE,
    assessed_at timestamptz,                               -- null: look soon
    findings    jsonb NOT NULL DEFAULT '[]',               -- bowei.domain.assessing.Finding
    finding_doubt text,                                    -- the finding for which nothing is offered
    frozen_clock boolean NOT NULL DEFAULT false,
    binary_count boolean NOT NULL DEFAULT false,
    suggested_capacity integer,
    doubt       text,                                      -- why nothing of the lot is offered; null: it is believed
    doubt_since timestamptz
) WITH (fillfactor = 80);
CREATE INDEX lot_quality_by_look ON bowei.lot_quality (assessed_at NULLS FIRST);

CREATE TABLE bowei.quality_event (                         -- each change, once; never changed
    event_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL,
    source_id   text COLLATE "C",
    lot_id      text COLLATE "C",
    kind        text NOT NULL CHECK (kind IN ('trust', 'finding', 'doubt', 'link')),
    was         text,
    became      text,
    reason      text,
    said_by     text,                                      -- who did it by hand; null: a rule
    evidence    jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX quality_event_of_lot ON bowei.quality_event (lot_id, event_id);
CREATE INDEX quality_event_of_source ON bowei.quality_event (source_id, event_id);

CREATE TABLE bowei.heartbeat (                             -- a link's signs of life, of one lot or ('') of all of a source
    source_id   text COLLATE "C" NOT NULL REFERENCES bowei.source ON DELETE CASCADE,
    lot_id      text COLLATE "C" NOT NULL DEFAULT '',
    last_at     timestamptz NOT NULL,
    times       integer NOT NULL,                          -- how many heartbeats; few: it does not send them as a habit
    lost_since  timestamptz,
    PRIMARY KEY (source_id, lot_id)
) WITH (fillfactor = 60);

CREATE TABLE bowei.pending_lot (                           -- lots that a source names and nobody registered
    source_id   text COLLATE "C" NOT NULL REFERENCES bowei.source ON DELETE CASCADE,
    code        text COLLATE "C" NOT NULL CHECK (length(code) <= 200),
    name        text,
    lat         double precision,
    lon         double precision,
    first_heard_at timestamptz NOT NULL,
    last_heard_at  timestamptz NOT NULL,
    times       bigint NOT NULL,
    dirt        text NOT NULL,
    like_lot    text COLLATE "C",
    PRIMARY KEY (source_id, code)
);

CREATE TABLE bowei.reconciliation (                        -- what a lot itself counted of a whole day, its local one
    lot_id      text COLLATE "C" NOT NULL REFERENCES bowei.lot ON DELETE CASCADE,
    day         date NOT NULL,
    source_id   text COLLATE "C" NOT NULL,
    arrived     integer NOT NULL CHECK (arrived >= 0),
    departed    integer NOT NULL CHECK (departed >= 0),
    said_at     timestamptz NOT NULL,
    PRIMARY KEY (lot_id, day)
);

-- Doubted reports are few, and read apart from the others.
CREATE INDEX observation_doubted ON bowei.observation (lot_id, observed_at) WHERE code IS NOT NULL;

-- Who reported before there was trust goes on as it was.
INSERT INTO bowei.source_trust (source_id, state, since, counted_from, pinned, reason)
    SELECT source_id, CASE WHEN suspended THEN 'suspended' ELSE 'live' END, bowei.now(), bowei.now(), suspended,
           'before_trust'
    FROM bowei.source;
INSERT INTO bowei.source_trust (source_id, lot_id, state, since, counted_from, reason)
    SELECT source_id, lot_id, 'live', bowei.now(), bowei.now(), 'before_trust' FROM bowei.source_lot GROUP BY 1, 2;

-- ------------------------------------------------------------------------------------------------- what is looked at

-- The hours of some lots since an instant. What was summed up is read as it stands; what came in since, and at most
-- three days of it, is summed up here.
CREATE FUNCTION bowei.series_hours(lots text[], since timestamptz)
RETURNS TABLE (lot_id text, hour timestamptz, reports integer, low integer, high integer, last integer,
               counts integer, capacity integer, spilled integer, spilled_to integer)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    edge timestamptz := greatest(
        since, date_trunc('hour', bowei.now(), 'UTC') - interval '3 days',
        coalesce((SELECT m.noted_to FROM bowei.history_mark m), '-infinity'));
BEGIN
    RETURN QUERY
        WITH summed AS (
            SELECT h.lot_id, h.hour, h.believed, h.free_min, h.free_max, h.free_last, h.free_values, h.capacity_last
            FROM bowei.hourly h
            WHERE h.lot_id = ANY (lots) AND h.hour >= since AND h.hour < edge
          UNION ALL
            SELECT o.lot_id, date_trunc('hour', o.observed_at, 'UTC'), count(*)::integer, min(o.free), max(o.free),
                   (array_agg(o.free ORDER BY o.observed_at DESC, coalesce(o.seq, 0) DESC, o.observation_id DESC)
                        FILTER (WHERE o.free IS NOT NULL))[1],
                   count(DISTINCT o.free)::integer,
                   (array_agg(o.capacity ORDER BY o.observed_at DESC, coalesce(o.seq, 0) DESC, o.observation_id DESC)
                        FILTER (WHERE o.capacity IS NOT NULL))[1]
            FROM bowei.observation o
            WHERE o.lot_id = ANY (lots) AND o.observed_at >= edge AND o.outcome <> 'quarantined'
            GROUP BY 1, 2
        ), spills AS (
            SELECT o.lot_id, date_trunc('hour', o.observed_at, 'UTC') AS hour, count(*)::integer AS times,
                   max(o.free) AS most,
                   (array_agg(o.capacity ORDER BY o.observed_at DESC, o.observation_id DESC)
                        FILTER (WHERE o.capacity IS NOT NULL))[1] AS capacity
            FROM bowei.observation o
            WHERE o.lot_id = ANY (lots) AND o.observed_at >= since AND o.code = 'free_above_capacity'
            GROUP BY 1, 2
        )
        SELECT coalesce(s.lot_id, p.lot_id), coalesce(s.hour, p.hour), coalesce(s.believed, 0), s.free_min, s.free_max,
               s.free_last, coalesce(s.free_values, 0), coalesce(s.capacity_last, p.capacity), coalesce(p.times, 0),
               p.most
        FROM summed s FULL JOIN spills p ON p.lot_id = s.lot_id AND p.hour = s.hour
        ORDER BY 1, 2;
END $$;

-- The last full local days of some lots: first and last count, the cars between these, and the day as reconciled.
CREATE FUNCTION bowei.series_days(lots text[], most integer)
RETURNS TABLE (lot_id text, day date, free_first integer, free_last integer, enters integer, exits integer,
               day_enters integer, day_exits integer, arrived integer, departed integer)
LANGUAGE sql STABLE AS $$
    WITH days AS (
        SELECT l.lot_id, d.day::date AS day, d.day AT TIME ZONE l.timezone AS starts,
               (d.day + interval '1 day') AT TIME ZONE l.timezone AS ends
        FROM bowei.lot l
        CROSS JOIN LATERAL generate_series(
            date_trunc('day', bowei.now() AT TIME ZONE l.timezone) - make_interval(days => most),
            date_trunc('day', bowei.now() AT TIME ZONE l.timezone) - interval '1 day', interval '1 day') AS d (day)
        WHERE l.lot_id = ANY (lots)
    )
    SELECT d.lot_id, d.day, f.free, z.free,
           coalesce(p.enters, 0)::integer, coalesce(p.exits, 0)::integer,
           coalesce(p.day_enters, 0)::integer, coalesce(p.day_exits, 0)::integer, r.arrived, r.departed
    FROM days d
    LEFT JOIN LATERAL (SELECT o.free, o.observed_at FROM bowei.observation o
                       WHERE o.lot_id = d.lot_id AND o.observed_at >= d.starts AND o.observed_at < d.ends
                         AND o.free IS NOT NULL AND o.outcome <> 'quarantined'
                       ORDER BY o.observed_at LIMIT 1) AS f ON true
    LEFT JOIN LATERAL (SELECT o.free, o.observed_at FROM bowei.observation o
                       WHERE o.lot_id = d.lot_id AND o.observed_at >= d.starts AND o.observed_at < d.ends
                         AND o.free IS NOT NULL AND o.outcome <> 'quarantined'
                       ORDER BY o.observed_at DESC LIMIT 1) AS z ON true
    LEFT JOIN LATERAL (SELECT count(*) FILTER (WHERE q.kind = 'enter' AND q.between) AS enters,
                              count(*) FILTER (WHERE q.kind = 'exit' AND q.between) AS exits,
                              count(*) FILTER (WHERE q.kind = 'enter') AS day_enters,
                              count(*) FILTER (WHERE q.kind = 'exit') AS day_exits
                       FROM (SELECT p.kind, p.passed_at > f.observed_at AND p.passed_at <= z.observed_at AS between
                             FROM bowei.passage p
                             WHERE p.lot_id = d.lot_id AND p.passed_at >= d.starts AND p.passed_at < d.ends) AS q
                      ) AS p ON true
    LEFT JOIN bowei.reconciliation r ON r.lot_id = d.lot_id AND r.day = d.day
    ORDER BY 1, 2
$$;

-- Of lots whose newest report says a time long before it was received: how many reports said that same time.
CREATE FUNCTION bowei.series_clocks(lots text[])
RETURNS TABLE (lot_id text, reports integer, counts integer, first_received_at timestamptz, last_received_at timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT r.lot_id, c.reports, c.counts, c.first_received_at, c.last_received_at
    FROM bowei.report r
    CROSS JOIN LATERAL (
        SELECT count(*)::integer AS reports, count(DISTINCT o.free)::integer AS counts,
               min(o.received_at) AS first_received_at, max(o.received_at) AS last_received_at
        FROM bowei.observation o
        WHERE o.lot_id = r.lot_id AND o.observed_at >= least(r.observed_at, bowei.now() - interval '6 hours')
          AND o.received_at >= bowei.now() - interval '6 hours'
          AND coalesce(o.said_at, o.observed_at) = coalesce(r.said_at, r.observed_at)
    ) AS c
    WHERE r.lot_id = ANY (lots) AND r.received_at - coalesce(r.said_at, r.observed_at) > interval '10 minutes'
$$;

-- What was heard of some lots from each source since the last look, at most a day of it.
CREATE FUNCTION bowei.heard_since_look(lots text[])
RETURNS TABLE (lot_id text, source_id text, good integer, bad integer) LANGUAGE sql STABLE AS $$
    SELECT q.lot_id, o.source_id, count(*) FILTER (WHERE o.outcome <> 'quarantined')::integer,
           count(*) FILTER (WHERE o.outcome = 'quarantined')::integer
    FROM (SELECT u.lot_id, greatest(q.assessed_at, bowei.now() - interval '1 day') AS looked_at
          FROM unnest(lots) AS u (lot_id) LEFT JOIN bowei.lot_quality q USING (lot_id)) AS q
    JOIN bowei.observation o ON o.lot_id = q.lot_id AND o.observed_at > q.looked_at - interval '6 hours'
                            AND o.received_at > q.looked_at AND o.received_at <= bowei.now()
    GROUP BY 1, 2
$$;

-- ------------------------------------------------------------------------------------------------------ what follows

-- What the record knows against lots, for reports that come first: whoever recorded them may not have known it yet.
CREATE OR REPLACE FUNCTION bowei.known_doubts(lots text[]) RETURNS TABLE (lot_id text, doubt text)
LANGUAGE sql STABLE AS $$
    SELECT k.lot_id, k.doubt FROM bowei.lot_quality k WHERE k.lot_id = ANY (lots) AND k.doubt IS NOT NULL
$$;

-- Say anew why nothing of these lots is offered, or that nothing stands against it; give the lots where that changed.
--   a person who vouches for a lot, whatever the rules find > trust below live > a lost link > a finding
-- The trust of a lot is the worst of those who may report it and of their lots, without sources that are refused.
-- A report that was recorded while a doubt changed may have missed it: it is put right as well, and not given. What a
-- count by hand ended is left alone.
CREATE FUNCTION bowei.renew_doubts(lots text[]) RETURNS TABLE (lot_id text, doubt text) LANGUAGE plpgsql AS $$
DECLARE
    ids text[];
    doubts text[];
    told_ids text[];
    told text[];
BEGIN
    INSERT INTO bowei.lot_quality AS k (lot_id)
        SELECT u FROM unnest(lots) AS u JOIN bowei.lot l ON l.lot_id = u ORDER BY u
        ON CONFLICT ON CONSTRAINT lot_quality_pkey DO NOTHING;
    PERFORM FROM bowei.lot_quality k WHERE k.lot_id = ANY (lots) ORDER BY k.lot_id FOR UPDATE;
    WITH pairs AS (
        SELECT DISTINCT sl.lot_id, s.source_id, s.suspended
        FROM bowei.source_lot sl JOIN bowei.source s USING (source_id) WHERE sl.lot_id = ANY (lots)
    ), trusts AS (
        SELECT p.lot_id, t.state, t.pinned, t.lot_id <> '' AS of_lot
        FROM pairs p JOIN bowei.source_trust t ON t.source_id = p.source_id AND t.lot_id IN ('', p.lot_id)
        WHERE NOT p.suspended OR NOT EXISTS (SELECT FROM pairs x WHERE x.lot_id = p.lot_id AND NOT x.suspended)
    ), stands AS (
        SELECT t.lot_id, bool_or(t.state = 'suspended') AS suspended, bool_or(t.state = 'probation') AS probation,
               bool_or(t.state = 'live' AND t.pinned) AS vouched
        FROM trusts t GROUP BY 1
    ), lost AS (
        SELECT DISTINCT p.lot_id FROM pairs p
        JOIN bowei.heartbeat b ON b.source_id = p.source_id AND b.lot_id IN ('', p.lot_id) AND b.lost_since IS NOT NULL
        JOIN bowei.report r ON r.lot_id = p.lot_id AND r.source_id = p.source_id AND r.received_at <= b.lost_since
    ), said AS (
        SELECT k.lot_id, k.doubt AS was, CASE
            WHEN s.suspended THEN 'suspended'
            WHEN s.probation THEN 'probation'
            WHEN n.lot_id IS NOT NULL THEN 'comms_lost'
            WHEN NOT coalesce(s.vouched, false) THEN k.finding_doubt END AS became
        FROM bowei.lot_quality k LEFT JOIN stands s USING (lot_id) LEFT JOIN lost n USING (lot_id)
        WHERE k.lot_id = ANY (lots)
    ), changed AS (
        UPDATE bowei.lot_quality k SET doubt = s.became, doubt_since = CASE WHEN s.became IS NOT NULL THEN bowei.now() END
        FROM said s WHERE s.lot_id = k.lot_id AND s.became IS DISTINCT FROM s.was
        RETURNING k.lot_id, s.was, s.became
    ), noted AS (
        INSERT INTO bowei.quality_event (at, lot_id, kind, was, became)
            SELECT bowei.now(), c.lot_id, 'doubt', c.was, c.became FROM changed c ORDER BY c.lot_id
    )
    SELECT array_agg(c.lot_id ORDER BY c.lot_id), array_agg(c.became ORDER BY c.lot_id) INTO ids, doubts FROM changed c;
    SELECT array_agg(k.lot_id ORDER BY k.lot_id), array_agg(k.doubt ORDER BY k.lot_id) INTO told_ids, told
    FROM bowei.lot_quality k LEFT JOIN bowei.report r USING (lot_id)
    WHERE k.lot_id = ANY (lots) AND (
        k.lot_id = ANY (ids) OR r.doubt IS DISTINCT FROM k.doubt AND r.lot_id IS NOT NULL AND (
            k.doubt IN ('probation', 'suspended', 'comms_lost') OR r.doubt IN ('probation', 'suspended', 'comms_lost')));
    -- One after the other, in the order in which reports are recorded.
    FOR i IN 1 .. coalesce(cardinality(told_ids), 0) LOOP
        PERFORM bowei.set_doubt(told_ids[i], told[i]);
    END LOOP;
    IF told_ids IS NOT NULL THEN
        PERFORM pg_notify('bowei_doubted', '');
    END IF;
    RETURN QUERY SELECT u.* FROM unnest(ids, doubts) AS u;
END $$;

-- Note signs of life, or of its end; give the lots whose link was lost or came back by them. A time ahead of ours is now.
CREATE FUNCTION bowei.note_signs(sources text[], lots text[], ats timestamptz[], signs text[], times_heard integer[])
RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    touched text[];
BEGIN
    WITH said AS (
        SELECT u.source_id, u.lot_id, least(u.at, bowei.now()) AS at, u.sign, u.times
        FROM unnest(sources, lots, ats, signs, times_heard) AS u (source_id, lot_id, at, sign, times)
        JOIN bowei.source s USING (source_id)
        ORDER BY u.source_id, u.lot_id
    ), written AS (
        INSERT INTO bowei.heartbeat AS b (source_id, lot_id, last_at, times, lost_since)
            SELECT s.source_id, s.lot_id, s.at, s.times, CASE WHEN s.sign = 'comms_lost' THEN s.at END FROM said s
        ON CONFLICT (source_id, lot_id) DO UPDATE SET
            last_at = CASE WHEN excluded.lost_since IS NULL THEN greatest(b.last_at, excluded.last_at) ELSE b.last_at END,
            times = least(b.times + excluded.times, 1000000),
            lost_since = CASE WHEN excluded.lost_since IS NULL THEN NULL ELSE coalesce(b.lost_since, excluded.lost_since) END
        WHERE excluded.last_at >= b.last_at
        RETURNING b.source_id, b.lot_id, b.lost_since
    ), before AS (
        SELECT w.source_id, w.lot_id, b.lost_since AS was, w.lost_since AS became
        FROM written w LEFT JOIN bowei.heartbeat b ON b.source_id = w.source_id AND b.lot_id = w.lot_id
    ), changed AS (
        SELECT c.* FROM before c WHERE (c.was IS NULL) <> (c.became IS NULL)
    ), noted AS (
        INSERT INTO bowei.quality_event (at, source_id, lot_id, kind, was, became)
            SELECT bowei.now(), c.source_id, nullif(c.lot_id, ''), 'link', CASE WHEN c.was IS NULL THEN 'up' ELSE 'lost' END,
                   CASE WHEN c.became IS NULL THEN 'up' ELSE 'lost' END
            FROM changed c ORDER BY c.source_id, c.lot_id
    )
    SELECT array_agg(DISTINCT sl.lot_id) INTO touched
    FROM changed c JOIN bowei.source_lot sl ON sl.source_id = c.source_id AND c.lot_id IN ('', sl.lot_id);
    RETURN touched;
END $$;

-- Find links that used to show life (`habit` times at least) and were silent for `after`: no sign, and no report either.
-- A link that reports again is back without a sign. Gives the lots whose link was lost or came back.
CREATE FUNCTION bowei.watch_links(after interval, habit integer) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    clock_at timestamptz := bowei.now();
    touched text[];
BEGIN
    WITH heard AS (
        SELECT b.source_id, b.lot_id, b.lost_since, b.times,
               greatest(b.last_at, (SELECT max(r.received_at) FROM bowei.source_lot sl
                                    JOIN bowei.report r ON r.lot_id = sl.lot_id AND r.source_id = sl.source_id
                                    WHERE sl.source_id = b.source_id AND b.lot_id IN ('', sl.lot_id))) AS last_at
        FROM bowei.heartbeat b
    ), changed AS (
        SELECT h.source_id, h.lot_id, h.last_at, h.lost_since IS NULL AS lost
        FROM heard h
        WHERE h.lost_since IS NULL AND h.times >= habit AND h.last_at < clock_at - after
           OR h.lost_since IS NOT NULL AND h.last_at > h.lost_since
        ORDER BY 1, 2
    ), written AS (
        UPDATE bowei.heartbeat b SET lost_since = CASE WHEN c.lost THEN c.last_at END
        FROM changed c WHERE c.source_id = b.source_id AND c.lot_id = b.lot_id
    ), noted AS (
        INSERT INTO bowei.quality_event (at, source_id, lot_id, kind, was, became, evidence)
            SELECT clock_at, c.source_id, nullif(c.lot_id, ''), 'link', CASE WHEN c.lost THEN 'up' ELSE 'lost' END,
                   CASE WHEN c.lost THEN 'lost' ELSE 'up' END,
                   jsonb_build_object('silent_s', extract(epoch FROM clock_at - c.last_at)::integer)
            FROM changed c
    )
    SELECT array_agg(DISTINCT sl.lot_id) INTO touched
    FROM changed c JOIN bowei.source_lot sl ON sl.source_id = c.source_id AND c.lot_id IN ('', sl.lot_id);
    RETURN touched;
END $$;

-- Note lots that a source names and nobody registered; at most `most` of each source: the longest unheard go.
CREATE FUNCTION bowei.note_strangers(
    sources text[], codes text[], names text[], lats double precision[], lons double precision[],
    firsts timestamptz[], lasts timestamptz[], times_heard bigint[], dirts text[], likes text[], most integer
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO bowei.pending_lot AS p (source_id, code, name, lat, lon, first_heard_at, last_heard_at, times, dirt, like_lot)
        SELECT u.* FROM unnest(sources, codes, names, lats, lons, firsts, lasts, times_heard, dirts, likes)
            AS u (source_id, code, name, lat, lon, first_heard_at, last_heard_at, times, dirt, like_lot)
        JOIN bowei.source s USING (source_id)
        ORDER BY u.source_id, u.code
        ON CONFLICT (source_id, code) DO UPDATE SET
            name = coalesce(excluded.name, p.name), lat = coalesce(excluded.lat, p.lat), lon = coalesce(excluded.lon, p.lon),
            first_heard_at = least(p.first_heard_at, excluded.first_heard_at),
            last_heard_at = greatest(p.last_heard_at, excluded.last_heard_at), times = p.times + excluded.times,
            dirt = excluded.dirt, like_lot = excluded.like_lot;
    DELETE FROM bowei.pending_lot p USING (
        SELECT x.source_id, x.code, row_number() OVER (PARTITION BY x.source_id ORDER BY x.last_heard_at DESC, x.code) AS place
        FROM bowei.pending_lot x WHERE x.source_id = ANY (sources)) AS o
    WHERE o.place > most AND p.source_id = o.source_id AND p.code = o.code;
END $$;
