-- The first shape of the record: what the parties registered, what lots report, what is promised, and the clock.
--
-- Reported (`report`, written by ingest, thousands a second) and promised (`lot_promise`, `pool_promise`, locked by
-- holds) are different rows, so that neither waits for the other's commit.
-- Core features of Postgres 14 to 18 only.

-- ---------------------------------------------------------------------------------------------------- the one clock

CREATE TABLE bowei.clock (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    mark       text NOT NULL DEFAULT 'production' CHECK (mark IN ('production', 'demo', 'replay')),
    -- demo: shown = origin_shown + (real - origin_real) * speed
    origin_real  timestamptz,
    origin_shown timestamptz,
    speed        double precision CHECK (speed > 0),
    -- replay: shown = stepped_at
    stepped_at   timestamptz,
    CHECK (mark <> 'demo' OR (origin_real IS NOT NULL AND origin_shown IS NOT NULL AND speed IS NOT NULL)),
    CHECK (mark <> 'replay' OR stepped_at IS NOT NULL)
);
INSERT INTO bowei.clock DEFAULT VALUES;

-- In plpgsql, which keeps its plan: a function in SQL would be parsed and planned anew in every decision.
CREATE FUNCTION bowei.now() RETURNS timestamptz LANGUAGE plpgsql VOLATILE PARALLEL SAFE AS $$
BEGIN
    RETURN (SELECT CASE mark
            WHEN 'production' THEN clock_timestamp()
            WHEN 'demo' THEN origin_shown + (clock_timestamp() - origin_real) * speed
            ELSE stepped_at
        END FROM bowei.clock);
END $$;
COMMENT ON FUNCTION bowei.now() IS 'The only clock that SQL reads; scaled or stepped where the database is marked demo or replay.';

-- ------------------------------------------------------------------------------------------ what the parties registered

CREATE TABLE bowei.directory_version (         -- a row, not a sequence: seen with the change it counts, never before it
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint NOT NULL DEFAULT 0
);
INSERT INTO bowei.directory_version DEFAULT VALUES;

CREATE TABLE bowei.lot (
    lot_id   text COLLATE "C" PRIMARY KEY CHECK (lot_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$'),
    document jsonb NOT NULL,          -- bowei.domain.lots.Lot
    timezone text NOT NULL,
    capacity integer NOT NULL CHECK (capacity BETWEEN 0 AND 100000),
    paused   boolean NOT NULL DEFAULT false
);

CREATE TABLE bowei.hospital (
    hospital_id text COLLATE "C" PRIMARY KEY CHECK (hospital_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$'),
    lot_id      text COLLATE "C" NOT NULL REFERENCES bowei.lot,
    document    jsonb NOT NULL         -- bowei.domain.lots.Hospital
);

CREATE TABLE bowei.agreement (
    agreement_id text COLLATE "C" PRIMARY KEY CHECK (agreement_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$'),
    lot_id       text COLLATE "C" NOT NULL REFERENCES bowei.lot,
    hospital_id  text COLLATE "C" NOT NULL REFERENCES bowei.hospital,
    margin       integer NOT NULL DEFAULT 0 CHECK (margin >= 0),
    max_stay     interval NOT NULL,
    valid_from   date,
    valid_to     date,
    paused       boolean NOT NULL DEFAULT false
);
CREATE INDEX ON bowei.agreement (hospital_id);

CREATE TABLE bowei.lending_window (
    agreement_id text COLLATE "C" NOT NULL REFERENCES bowei.agreement ON DELETE CASCADE,
    ordinal      integer NOT NULL,
    space_class  text NOT NULL,
    spaces       integer NOT NULL CHECK (spaces >= 0),
    days         smallint[] NOT NULL CHECK (days <@ ARRAY[1, 2, 3, 4, 5, 6, 7]::smallint[] AND cardinality(days) > 0),
    starts       time NOT NULL,
    stops        time NOT NULL,        -- at or before starts: the next day
    PRIMARY KEY (agreement_id, ordinal)
);

CREATE FUNCTION bowei.window_covers(days smallint[], starts time, stops time, local timestamp) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN starts < stops
        THEN extract(isodow FROM local)::smallint = ANY (days) AND local::time >= starts AND local::time < stops
        ELSE (extract(isodow FROM local)::smallint = ANY (days) AND local::time >= starts)
          OR (extract(isodow FROM local - interval '1 day')::smallint = ANY (days) AND local::time < stops)
    END
$$;

CREATE FUNCTION bowei.lent_at(at timestamptz, agreements text[])
RETURNS TABLE (agreement_id text, space_class text, spaces integer) LANGUAGE sql STABLE AS $$
    -- The same rule as bowei.domain.agreements.Agreement.lent_at; a contract test compares them.
    SELECT w.agreement_id, w.space_class, max(w.spaces)
    FROM bowei.agreement a
    JOIN bowei.lot l USING (lot_id)
    JOIN bowei.lending_window w USING (agreement_id)
    WHERE a.agreement_id = ANY (agreements)
      AND NOT a.paused AND NOT l.paused
      AND (a.valid_from IS NULL OR a.valid_from <= (at AT TIME ZONE l.timezone)::date)
      AND (a.valid_to IS NULL OR (at AT TIME ZONE l.timezone)::date <= a.valid_to)
      AND bowei.window_covers(w.days, w.starts, w.stops, at AT TIME ZONE l.timezone)
    GROUP BY w.agreement_id, w.space_class
$$;

CREATE TABLE bowei.source (
    source_id   text COLLATE "C" PRIMARY KEY CHECK (source_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$'),
    kind        text NOT NULL CHECK (kind IN ('native', 'citybrain')),
    key_sha256  bytea CHECK (octet_length(key_sha256) = 32),   -- of a native source's key; the key itself is never kept
    public_key  text,                                          -- PEM: opens what a City Brain source sends
    suspended   boolean NOT NULL DEFAULT false
);

CREATE TABLE bowei.source_lot (
    source_id text COLLATE "C" NOT NULL REFERENCES bowei.source ON DELETE CASCADE,
    code      text COLLATE "C" NOT NULL,      -- the lot's name in the source's own words
    lot_id    text COLLATE "C" NOT NULL REFERENCES bowei.lot,
    PRIMARY KEY (source_id, code)
);
CREATE INDEX ON bowei.source_lot (lot_id);

-- ------------------------------------------------------------------------------------------------- what lots report

CREATE TABLE bowei.report (                    -- the newest believed report of each lot
    lot_id      text COLLATE "C" PRIMARY KEY REFERENCES bowei.lot,
    observed_at timestamptz NOT NULL,
    seq         bigint NOT NULL,
    received_at timestamptz NOT NULL,
    source_id   text COLLATE "C" NOT NULL,
    capacity    integer CHECK (capacity >= 0),
    open        integer CHECK (open >= 0),
    free        integer CHECK (free >= 0),     -- null: unknown
    state       text NOT NULL,
    free_by_class jsonb NOT NULL DEFAULT '{}',
    queue_vehicles integer,
    usual_gap   interval NOT NULL,
    counted_at  timestamptz NOT NULL           -- of the last full count; passages after it move `free`
) WITH (fillfactor = 70);

CREATE TABLE bowei.observation (               -- everything that was said, as it was said
    observation_id bigint GENERATED ALWAYS AS IDENTITY,
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
    outcome     text NOT NULL CHECK (outcome IN ('applied', 'stale', 'quarantined')),
    code        text
);
CREATE INDEX ON bowei.observation (lot_id, observed_at);

CREATE TABLE bowei.passage (
    lot_id      text COLLATE "C" NOT NULL REFERENCES bowei.lot,
    passage_id  text COLLATE "C" NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('enter', 'exit')),
    passed_at   timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    source_id   text COLLATE "C" NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN ('applied', 'stale')),
    PRIMARY KEY (lot_id, passage_id, kind)
);

-- ------------------------------------------------------------------------------------------------- what is promised

CREATE TABLE bowei.lot_promise (
    lot_id   text COLLATE "C" PRIMARY KEY REFERENCES bowei.lot,
    capacity integer NOT NULL,                 -- the registered capacity, beside what it limits
    held     integer NOT NULL DEFAULT 0,
    stays    integer NOT NULL DEFAULT 0 CHECK (stays >= 0),
    version  bigint NOT NULL DEFAULT 1,        -- grows with every change, under the row's lock
    changed_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT no_space_promised_twice CHECK (held BETWEEN 0 AND capacity)
) WITH (fillfactor = 70);
CREATE INDEX ON bowei.lot_promise (changed_in);

CREATE TABLE bowei.pool_promise (              -- by agreement and class; changed only under the lot's lock
    agreement_id text COLLATE "C" NOT NULL REFERENCES bowei.agreement,
    space_class  text NOT NULL,
    lot_id       text COLLATE "C" NOT NULL REFERENCES bowei.lot_promise,
    held         integer NOT NULL DEFAULT 0 CHECK (held >= 0),
    stays        integer NOT NULL DEFAULT 0 CHECK (stays >= 0),
    PRIMARY KEY (agreement_id, space_class)
) WITH (fillfactor = 70);
CREATE INDEX ON bowei.pool_promise (lot_id);

CREATE TABLE bowei.hold (
    diversion_id text COLLATE "C" NOT NULL CHECK (length(diversion_id) BETWEEN 8 AND 64),
    ordinal      integer NOT NULL CHECK (ordinal >= 1),
    driver_id    text COLLATE "C" NOT NULL,
    request_hash bytea NOT NULL CHECK (octet_length(request_hash) = 32),
    hospital_id  text COLLATE "C" NOT NULL REFERENCES bowei.hospital,
    lot_id       text COLLATE "C" NOT NULL REFERENCES bowei.lot,
    agreement_id text COLLATE "C" NOT NULL REFERENCES bowei.agreement,
    space_class  text NOT NULL,
    state        text NOT NULL,
    placed_at    timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    extended_by  interval,                     -- null: not extended yet
    arrived_at   timestamptz,
    ended_at     timestamptz,
    reason       text,
    plate_hash   bytea,
    answer       jsonb NOT NULL,               -- how the lot was chosen, for the same answer to the same id
    PRIMARY KEY (diversion_id, ordinal),
    -- One check, and a short one: Postgres reads the text of each again for every statement that writes a hold.
    CHECK (CASE WHEN ended_at IS NOT NULL THEN state IN ('settled', 'released', 'expired', 'revoked')
                WHEN arrived_at IS NOT NULL THEN state = 'arrived' ELSE state = 'held' END)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX one_held_hold_per_driver ON bowei.hold (driver_id) WHERE state = 'held';
CREATE UNIQUE INDEX one_live_hold_per_diversion ON bowei.hold (diversion_id) WHERE ended_at IS NULL;
-- Not partial on purpose: to a planner without statistics a partial index on held holds looks as good as the right one.
CREATE INDEX holds_of_a_lot ON bowei.hold (lot_id, state, expires_at);
CREATE INDEX due_holds ON bowei.hold (state, expires_at);
CREATE INDEX live_plates ON bowei.hold (plate_hash) WHERE plate_hash IS NOT NULL AND state IN ('held', 'arrived', 'settled');

CREATE TABLE bowei.hold_step (                 -- each step of each hold, once; never changed, never deleted
    diversion_id text COLLATE "C" NOT NULL,
    ordinal      integer NOT NULL,
    state        text NOT NULL,
    at           timestamptz NOT NULL,
    reason       text,
    PRIMARY KEY (diversion_id, ordinal, state),
    FOREIGN KEY (diversion_id, ordinal) REFERENCES bowei.hold
);

CREATE TABLE bowei.stay (
    diversion_id text COLLATE "C" NOT NULL,
    ordinal      integer NOT NULL,
    lot_id       text COLLATE "C" NOT NULL,
    agreement_id text COLLATE "C" NOT NULL,
    space_class  text NOT NULL,
    began_at     timestamptz NOT NULL,
    ended_at     timestamptz,
    reason       text,
    PRIMARY KEY (diversion_id, ordinal),
    FOREIGN KEY (diversion_id, ordinal) REFERENCES bowei.hold
);
CREATE INDEX running_stays ON bowei.stay (lot_id) WHERE ended_at IS NULL;

CREATE TABLE bowei.given_up (                  -- a late attempt under such an id must not grant
    diversion_id text COLLATE "C" PRIMARY KEY,
    driver_id    text COLLATE "C" NOT NULL,
    at           timestamptz NOT NULL
);

CREATE TABLE bowei.repeat (                    -- a repeated answer commits a write, so that it outlives a failover
    diversion_id text COLLATE "C" NOT NULL,
    at           timestamptz NOT NULL
);

-- ------------------------------------------------------------------------------------------------- broken promises

CREATE VIEW bowei.broken_promise AS
    SELECT 'held_differs_from_live_holds' AS kind, p.lot_id AS subject
    FROM bowei.lot_promise p
    LEFT JOIN (SELECT lot_id, count(*) AS live FROM bowei.hold WHERE state IN ('held', 'arrived') GROUP BY lot_id) h
        USING (lot_id)
    WHERE p.held <> coalesce(h.live, 0)
  UNION ALL
    SELECT 'stays_differ_from_running_stays', p.lot_id
    FROM bowei.lot_promise p
    LEFT JOIN (SELECT lot_id, count(*) AS running FROM bowei.stay WHERE ended_at IS NULL GROUP BY lot_id) s
        USING (lot_id)
    WHERE p.stays <> coalesce(s.running, 0)
  UNION ALL
    SELECT 'pools_differ_from_lot', p.lot_id
    FROM bowei.lot_promise p
    LEFT JOIN (SELECT lot_id, sum(held) AS held, sum(stays) AS stays FROM bowei.pool_promise GROUP BY lot_id) q
        USING (lot_id)
    WHERE p.held <> coalesce(q.held, 0) OR p.stays <> coalesce(q.stays, 0)
  UNION ALL
    SELECT 'pool_differs_from_live_holds', p.agreement_id || '/' || p.space_class
    FROM bowei.pool_promise p
    LEFT JOIN (SELECT agreement_id, space_class, count(*) AS live FROM bowei.hold
               WHERE state IN ('held', 'arrived') GROUP BY agreement_id, space_class) h
        USING (agreement_id, space_class)
    WHERE p.held <> coalesce(h.live, 0)
  UNION ALL
    SELECT 'held_above_capacity', lot_id FROM bowei.lot_promise WHERE held > capacity
  UNION ALL
    SELECT 'two_holds_of_one_driver', min(diversion_id) FROM bowei.hold WHERE state = 'held'
    GROUP BY driver_id HAVING count(*) > 1
  UNION ALL
    SELECT 'granted_above_offered', diversion_id FROM bowei.hold
    WHERE (answer ->> 'offered_before')::integer < 1;
COMMENT ON VIEW bowei.broken_promise IS 'Empty, always: each row is a promise that the ledger itself shows to be broken.';
