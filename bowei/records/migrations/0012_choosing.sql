-- The right lot, as far as the ledger decides it: how many spaces are kept back from whom, quotas that go down by the
-- hour, when a car must be out again, and the rate of refusals that keeps more back.
-- Core features of Postgres 14 to 18 only. Locks as in 0002.

-- -------------------------------------------------------------------------------------------- what agreements say more

ALTER TABLE bowei.agreement
    ADD COLUMN margin_rule text NOT NULL DEFAULT 'law' CHECK (margin_rule IN ('law', 'fixed')),
    ADD COLUMN latest_leave time,
    ADD COLUMN terms jsonb NOT NULL DEFAULT '{}';          -- tariff, protects: only the ranking weighs them
ALTER TABLE bowei.lending_window                           -- from each hour on, so many; in order from the start
    ADD COLUMN step_times time[] NOT NULL DEFAULT '{}',
    ADD COLUMN step_spaces integer[] NOT NULL DEFAULT '{}' CHECK (0 <= ALL (step_spaces)),
    ADD CONSTRAINT each_step_has_spaces CHECK (cardinality(step_times) = cardinality(step_spaces));

-- How long after a window's start a clock time comes: the next day's where it is before it.
CREATE FUNCTION bowei.since_start(starts time, clock time) RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN clock >= starts THEN clock - starts ELSE clock - starts + interval '24 hours' END
$$;

-- How many spaces a window lends at a wall-clock time that it covers.
CREATE FUNCTION bowei.window_spaces(
    spaces integer, starts time, step_times time[], step_spaces integer[], local timestamp
) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN step_times = '{}' THEN spaces ELSE coalesce(
        (SELECT s.spaces FROM unnest(step_times, step_spaces) WITH ORDINALITY AS s (at, spaces, n)
         WHERE bowei.since_start(starts, s.at) <= bowei.since_start(starts, local::time) ORDER BY s.n DESC LIMIT 1),
        spaces) END
$$;

CREATE OR REPLACE FUNCTION bowei.lent_at(at timestamptz, agreements text[])
RETURNS TABLE (agreement_id text, space_class text, spaces integer) LANGUAGE sql STABLE AS $$
    -- The same rule as bowei.domain.agreements.Agreement.lent_at; a contract test compares them.
    SELECT w.agreement_id, w.space_class,
           max(bowei.window_spaces(w.spaces, w.starts, w.step_times, w.step_spaces, at AT TIME ZONE l.timezone))
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

-- When a car that comes now must be out again, on the lot's wall clock; null: never said. By the agreement's hour, and
-- by the next time at which a window with steps turns and nothing of the class is lent any more.
CREATE FUNCTION bowei.out_by(agreement text, class text, local timestamp) RETURNS timestamp LANGUAGE sql STABLE AS $$
    -- The same rule as bowei.domain.agreements.Agreement.out_by; a contract test compares them.
    SELECT min(e.at) FROM (
        SELECT local::date + a.latest_leave
               + CASE WHEN local::date + a.latest_leave > local THEN interval '0' ELSE interval '1 day' END AS at
        FROM bowei.agreement a WHERE a.agreement_id = agreement AND a.latest_leave IS NOT NULL
      UNION ALL
        SELECT t.at FROM (
            SELECT DISTINCT local::date + d.day * interval '1 day' + c.clock AS at
            FROM bowei.lending_window w
            CROSS JOIN LATERAL unnest(w.step_times || w.stops) AS c (clock)
            CROSS JOIN generate_series(0, 7) AS d (day)
            WHERE w.agreement_id = agreement AND w.space_class = class AND w.step_times <> '{}'
        ) AS t
        WHERE t.at > local AND t.at <= local + interval '7 days' AND coalesce((
            SELECT max(bowei.window_spaces(w.spaces, w.starts, w.step_times, w.step_spaces, t.at))
            FROM bowei.lending_window w
            WHERE w.agreement_id = agreement AND w.space_class = class
              AND bowei.window_covers(w.days, w.starts, w.stops, t.at)), 0) = 0
    ) AS e
$$;

-- Whether a car that comes at an instant and is gone `stay` seconds later is out in time. Nothing is read for one that
-- does not say (null).
CREATE FUNCTION bowei.lasts(agreement text, class text, at timestamptz, stay double precision) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
DECLARE
    zone text;
BEGIN
    IF stay IS NULL THEN
        RETURN true;
    END IF;
    SELECT l.timezone INTO zone FROM bowei.agreement a JOIN bowei.lot l USING (lot_id) WHERE a.agreement_id = agreement;
    RETURN coalesce((at + stay * interval '1 second') AT TIME ZONE zone
                    <= bowei.out_by(agreement, class, at AT TIME ZONE zone), true);
END $$;

-- ----------------------------------------------------------------------------------------------- what refusals teach

ALTER TABLE bowei.lot_promise ADD COLUMN refusal_rate double precision NOT NULL DEFAULT 0
    CHECK (refusal_rate BETWEEN 0 AND 1);

-- A car found its space, or was refused on arrival: the lot's rate moves a fiftieth of the way there, in the commit
-- that ends the hold. The lot is locked, and whoever ends the hold gives it its next version. The same rule as
-- bowei.domain.margins.refusal_rate_after.
CREATE FUNCTION bowei.note_arrival() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE bowei.lot_promise AS p
        SET refusal_rate = p.refusal_rate + ((NEW.state = 'revoked')::integer::double precision - p.refusal_rate) / 50
        WHERE p.lot_id = NEW.lot_id AND (NEW.state = 'revoked' OR p.refusal_rate > 0);
    RETURN NULL;
END $$;
CREATE TRIGGER note_arrival AFTER UPDATE OF state ON bowei.hold FOR EACH ROW
    WHEN (OLD.ended_at IS NULL
          AND (NEW.state = 'settled' OR NEW.state = 'revoked' AND NEW.reason = 'refused_on_arrival'))
    EXECUTE FUNCTION bowei.note_arrival();

-- ------------------------------------------------------------------------------------------------------- what changes

DROP FUNCTION bowei.place(text[], text[], bytea[], text[], bytea[], jsonb[], text[], text[], text[], integer[],
                          integer[], double precision[], boolean);
DROP FUNCTION bowei.place_one(text, text, bytea, text, bytea, jsonb, text[], text[], double precision[]);
DROP FUNCTION bowei.replace(text, text, integer, text, text, jsonb, text[], text[], double precision[]);
DROP FUNCTION bowei.promised_since(xid8);

-- Place a batch: grant each request the first of its candidates that has room, in the order given. No id and no
-- driver stands in a batch twice; that is the caller's duty, and the indexes refuse it otherwise.
--   candidates point at a request (1..n) and at an option (an agreement and a class), best first
--   candidate_margins: how many spaces are kept back from this driver; never fewer than the agreement states now
--   candidate_stays: after how many seconds the car is gone again; null: whenever it likes
-- `passes_by` is for a second try after somebody kept a lot locked for too long: locked lots are passed by, and who has
-- no other is told so.
--   outcomes: granted | repeated | id_reused | unknown_diversion | driver_has_hold | given_up | none | lot_locked
CREATE FUNCTION bowei.place(
    ids text[], drivers text[], hashes bytea[], hospitals text[], plates bytea[], answers jsonb[], replaced text[],
    option_agreements text[], option_classes text[],
    candidate_requests integer[], candidate_options integer[], candidate_lifetimes double precision[],
    passes_by boolean DEFAULT false,
    candidate_margins integer[] DEFAULT NULL, candidate_stays double precision[] DEFAULT NULL
) RETURNS TABLE (request integer, outcome text, hold bowei.hold) LANGUAGE plpgsql AS $$
DECLARE
    clock_at timestamptz;
    lots text[];
    outcomes text[] := array_fill(NULL::text, ARRAY[cardinality(ids)]);
    option_lots text[];              -- all of these by option
    lot_leads integer[];             -- the first option on the same lot
    class_leads integer[];           -- the first option on the same lot and class
    margins integer[];
    free_room integer[];             -- at the lot's lead
    open_room integer[];             -- at the lot's lead; null where the lot does not report it
    class_room integer[];            -- at the class's lead; null where the lot does not report it
    pool_room integer[];
    lot_lead integer;
    class_lead integer;
    request_of integer;
    option_of integer;
    granted_request integer[] := '{}';
    granted_option integer[] := '{}';
    granted_room integer[] := '{}';
    granted_lifetime double precision[] := '{}';
    passed_by integer[] := '{}';
    room integer;
BEGIN
    PERFORM bowei.lock_ids(ids || drivers);
    SELECT array_agg(DISTINCT lot_id ORDER BY lot_id) INTO lots FROM (
        SELECT a.lot_id FROM bowei.agreement a WHERE a.agreement_id = ANY (option_agreements)
      UNION ALL
        SELECT h.lot_id FROM bowei.hold h WHERE h.driver_id = ANY (drivers) AND h.state = 'held'
      UNION ALL
        SELECT h.lot_id FROM bowei.hold h WHERE h.diversion_id = ANY (ids) AND h.state IN ('held', 'arrived')
    ) AS touched;
    IF passes_by THEN
        lots := ARRAY(SELECT p.lot_id FROM bowei.lot_promise AS p WHERE p.lot_id = ANY (lots)
                      ORDER BY p.lot_id FOR UPDATE SKIP LOCKED);
    ELSE
        PERFORM bowei.lock_lots(lots);
    END IF;
    clock_at := bowei.now();
    PERFORM bowei.expire_due(lots, clock_at);
    PERFORM bowei.settle(lots, clock_at);

    -- What can be answered without granting.
    SELECT array_agg(o.outcome ORDER BY o.i) INTO outcomes FROM (
        SELECT q.i, CASE
            WHEN replaced[q.i] IS NULL AND h.diversion_id IS NOT NULL THEN
                CASE WHEN h.driver_id <> q.driver_id THEN 'unknown_diversion'
                     WHEN h.request_hash <> q.request_hash THEN 'id_reused' ELSE 'repeated' END
            WHEN replaced[q.i] IS NULL AND g.diversion_id IS NOT NULL THEN
                CASE WHEN g.driver_id <> q.driver_id THEN 'unknown_diversion' ELSE 'given_up' END
            WHEN b.driver_id IS NOT NULL THEN 'driver_has_hold'
        END AS outcome
        FROM unnest(ids, drivers, hashes) WITH ORDINALITY AS q (diversion_id, driver_id, request_hash, i)
        LEFT JOIN bowei.hold h ON h.diversion_id = q.diversion_id AND h.ordinal = 1
        LEFT JOIN bowei.given_up g ON g.diversion_id = q.diversion_id
        LEFT JOIN bowei.hold b ON b.driver_id = q.driver_id AND b.state = 'held'
    ) AS o;

    -- One reading of all rooms; what several options share (a lot, a class of it) is counted at the first of them.
    SELECT array_agg(r.lot_id ORDER BY r.option), array_agg(r.lot_lead ORDER BY r.option),
           array_agg(r.class_lead ORDER BY r.option), array_agg(r.margin ORDER BY r.option),
           array_agg(r.free_room ORDER BY r.option), array_agg(r.open_room ORDER BY r.option),
           array_agg(r.class_room ORDER BY r.option), array_agg(r.pool_room ORDER BY r.option)
    INTO option_lots, lot_leads, class_leads, margins, free_room, open_room, class_room, pool_room
    FROM (SELECT *, min(option) OVER (PARTITION BY lot_id) AS lot_lead,
                 min(option) OVER (PARTITION BY lot_id, space_class) AS class_lead
          FROM bowei.rooms(option_agreements, option_classes, clock_at)) AS r;

    FOR c IN 1 .. coalesce(cardinality(candidate_requests), 0) LOOP
        request_of := candidate_requests[c];
        CONTINUE WHEN outcomes[request_of] IS NOT NULL;
        option_of := candidate_options[c];
        lot_lead := lot_leads[option_of];
        class_lead := class_leads[option_of];
        room := least(free_room[lot_lead] - greatest(margins[option_of], candidate_margins[c]), open_room[lot_lead],
                      class_room[class_lead], pool_room[option_of]);
        IF (option_lots[option_of] = ANY (lots)) IS NOT TRUE THEN
            -- Somebody else has it locked, or its agreement was moved to another lot just now.
            passed_by := passed_by || request_of;
        ELSIF room > 0 AND bowei.lasts(option_agreements[option_of], option_classes[option_of], clock_at,
                                       candidate_stays[c]) THEN
            outcomes[request_of] := 'granted';
            free_room[lot_lead] := free_room[lot_lead] - 1;
            open_room[lot_lead] := open_room[lot_lead] - 1;
            class_room[class_lead] := class_room[class_lead] - 1;
            pool_room[option_of] := pool_room[option_of] - 1;
            granted_request := granted_request || request_of;
            granted_option := granted_option || option_of;
            granted_room := granted_room || room;
            granted_lifetime := granted_lifetime || candidate_lifetimes[c];
        END IF;
    END LOOP;

    IF cardinality(granted_request) > 0 THEN
        WITH new AS (
            INSERT INTO bowei.hold (diversion_id, ordinal, driver_id, request_hash, hospital_id, lot_id, agreement_id,
                                    space_class, state, placed_at, expires_at, plate_hash, answer)
            SELECT ids[g.request], coalesce((SELECT max(o.ordinal) FROM bowei.hold o WHERE o.diversion_id = ids[g.request]), 0) + 1,
                   drivers[g.request], hashes[g.request],
                   hospitals[g.request], option_lots[g.option], option_agreements[g.option],
                   option_classes[g.option], 'held', clock_at, clock_at + g.lifetime * interval '1 second', plates[g.request],
                   answers[g.request] || jsonb_build_object('offered_before', g.room)
            FROM unnest(granted_request, granted_option, granted_room, granted_lifetime)
                AS g (request, option, room, lifetime)
            RETURNING diversion_id, ordinal
        )
        INSERT INTO bowei.hold_step (diversion_id, ordinal, state, at) SELECT n.diversion_id, n.ordinal, 'held', clock_at FROM new AS n;
        PERFORM bowei.adjust(
            array_agg(option_lots[g.option]), array_agg(option_agreements[g.option]),
            array_agg(option_classes[g.option]), array_agg(1), array_agg(0))
        FROM unnest(granted_option) AS g (option);
    END IF;
    INSERT INTO bowei.repeat (diversion_id, at)
        SELECT ids[o.i], clock_at FROM unnest(outcomes) WITH ORDINALITY AS o (outcome, i) WHERE o.outcome = 'repeated';

    RETURN QUERY
        SELECT o.i::integer,
            coalesce(o.outcome, CASE WHEN passes_by AND o.i = ANY (passed_by) THEN 'lot_locked' ELSE 'none' END),
            CASE WHEN o.outcome IN ('granted', 'repeated') THEN (
                SELECT own FROM bowei.hold AS own WHERE own.diversion_id = ids[o.i] ORDER BY own.ordinal DESC LIMIT 1)
            WHEN o.outcome = 'driver_has_hold' THEN (
                SELECT own FROM bowei.hold AS own WHERE own.driver_id = drivers[o.i] AND own.state = 'held')
            END
        FROM unnest(outcomes) WITH ORDINALITY AS o (outcome, i)
        ORDER BY o.i;
END $$;

-- The same for a request that is alone, in as few statements as will do; whatever is not plain goes to `place`.
CREATE FUNCTION bowei.place_one(
    id text, driver text, hash bytea, hospital text, plate bytea, explanation jsonb,
    option_agreements text[], option_classes text[], lifetimes double precision[],
    kept_back integer[] DEFAULT NULL, stays double precision[] DEFAULT NULL
) RETURNS TABLE (request integer, outcome text, hold bowei.hold) LANGUAGE plpgsql AS $$
DECLARE
    id_key bigint := hashtextextended(id, 0);
    driver_key bigint := hashtextextended(driver, 0);
    clock_at timestamptz;
    lots text[];
    chosen record;
BEGIN
    PERFORM pg_advisory_xact_lock(least(id_key, driver_key)), pg_advisory_xact_lock(greatest(id_key, driver_key));
    IF EXISTS (SELECT FROM bowei.hold AS h WHERE h.diversion_id = id)
       OR EXISTS (SELECT FROM bowei.given_up AS g WHERE g.diversion_id = id)
       OR EXISTS (SELECT FROM bowei.hold AS h WHERE h.driver_id = driver AND h.state = 'held') THEN
        RETURN QUERY SELECT p.request, p.outcome, p.hold FROM bowei.place(
            ARRAY[id], ARRAY[driver], ARRAY[hash], ARRAY[hospital], ARRAY[plate], ARRAY[explanation],
            ARRAY[NULL]::text[], option_agreements, option_classes, array_fill(1, ARRAY[cardinality(lifetimes)]),
            ARRAY(SELECT generate_subscripts(lifetimes, 1)), lifetimes, false, kept_back, stays) AS p;
        RETURN;
    END IF;
    lots := ARRAY(
        SELECT l.lot_id FROM bowei.lot_promise AS l
        WHERE l.lot_id = ANY (ARRAY(SELECT a.lot_id FROM bowei.agreement a WHERE a.agreement_id = ANY (option_agreements)))
        ORDER BY l.lot_id FOR UPDATE);
    clock_at := bowei.now();
    IF EXISTS (SELECT FROM bowei.hold AS h WHERE h.lot_id = ANY (lots) AND h.state = 'held' AND h.expires_at <= clock_at)
       OR EXISTS (SELECT FROM bowei.hold AS h WHERE h.lot_id = ANY (lots) AND h.state = 'arrived') THEN
        PERFORM bowei.expire_due(lots, clock_at), bowei.settle(lots, clock_at);
    END IF;
    SELECT o.option, o.lot_id, o.room INTO chosen FROM (
        SELECT r.option, r.lot_id, least(r.free_room - greatest(r.margin, kept_back[r.option]), r.open_room,
                                         r.class_room, r.pool_room) AS room
        FROM bowei.rooms(option_agreements, option_classes, clock_at) AS r WHERE r.lot_id = ANY (lots)
        OFFSET 0  -- each room is worked out once
    ) AS o WHERE o.room > 0
        AND bowei.lasts(option_agreements[o.option], option_classes[o.option], clock_at, stays[o.option])
        ORDER BY o.option LIMIT 1;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 1, 'none', NULL::bowei.hold;
        RETURN;
    END IF;
    request := 1;
    outcome := 'granted';
    INSERT INTO bowei.hold AS h (diversion_id, ordinal, driver_id, request_hash, hospital_id, lot_id,
                                 agreement_id, space_class, state, placed_at, expires_at, plate_hash, answer)
        VALUES (id, 1, driver, hash, hospital, chosen.lot_id, option_agreements[chosen.option],
                option_classes[chosen.option], 'held', clock_at,
                clock_at + lifetimes[chosen.option] * interval '1 second', plate,
                explanation || jsonb_build_object('offered_before', chosen.room))
        RETURNING h.* INTO hold;
    INSERT INTO bowei.hold_step (diversion_id, ordinal, state, at) VALUES (id, 1, 'held', clock_at);
    UPDATE bowei.pool_promise AS q SET held = q.held + 1
        WHERE q.agreement_id = hold.agreement_id AND q.space_class = hold.space_class;
    IF NOT FOUND THEN
        INSERT INTO bowei.pool_promise AS q (agreement_id, space_class, lot_id, held)
            VALUES (hold.agreement_id, hold.space_class, chosen.lot_id, 1)
            ON CONFLICT (agreement_id, space_class) DO UPDATE SET held = q.held + 1;
    END IF;
    UPDATE bowei.lot_promise AS l SET held = l.held + 1, version = l.version + 1, changed_in = pg_current_xact_id()
        WHERE l.lot_id = chosen.lot_id;
    PERFORM pg_notify('bowei_promised', '');
    RETURN NEXT;
END $$;

-- The promise failed, or can't be kept: end the old hold and grant a replacement in the same commit.
--   outcomes: those of `place` for a replacement that was looked for; the old hold ends in any case
--             | repeated (this hold was already replaced or ended so) | hold_over | unknown_diversion
CREATE FUNCTION bowei.replace(
    id text, driver text, of_ordinal integer, new_state text, why text, answer jsonb,
    option_agreements text[], option_classes text[], lifetimes double precision[],
    kept_back integer[] DEFAULT NULL, stays double precision[] DEFAULT NULL
) RETURNS TABLE (outcome text, hold bowei.hold) LANGUAGE plpgsql AS $$
DECLARE
    h bowei.hold;
    clock_at timestamptz;
    placed text;
    options integer[] := ARRAY(SELECT generate_series(1, cardinality(option_agreements)));
BEGIN
    PERFORM bowei.lock_ids(ARRAY[id, driver]);
    SELECT * INTO h FROM bowei.hold AS o
        WHERE o.diversion_id = id AND (driver IS NULL OR o.driver_id = driver) ORDER BY o.ordinal DESC LIMIT 1;
    IF h.diversion_id IS NULL OR h.ordinal < of_ordinal THEN
        RETURN QUERY SELECT 'unknown_diversion', NULL::bowei.hold;
        RETURN;
    END IF;
    PERFORM bowei.lock_lots(ARRAY(
        SELECT a.lot_id FROM bowei.agreement a WHERE a.agreement_id = ANY (option_agreements)
      UNION SELECT o.lot_id FROM bowei.hold o WHERE o.driver_id = h.driver_id AND o.state = 'held'
      UNION SELECT h.lot_id));
    clock_at := bowei.now();
    PERFORM bowei.expire_due(ARRAY[h.lot_id], clock_at);
    PERFORM bowei.settle(ARRAY[h.lot_id], clock_at);
    SELECT * INTO h FROM bowei.hold AS o WHERE o.diversion_id = id AND o.ordinal = h.ordinal FOR UPDATE;
    IF h.ordinal > of_ordinal OR h.state = new_state AND h.reason = why THEN
        INSERT INTO bowei.repeat (diversion_id, at) VALUES (id, clock_at);
        RETURN QUERY SELECT 'repeated', h;
        RETURN;
    ELSIF h.state NOT IN ('held', 'arrived') THEN
        RETURN QUERY SELECT 'hold_over', h;
        RETURN;
    END IF;
    PERFORM bowei.end_live(h, new_state, why, clock_at);
    SELECT p.outcome INTO placed FROM bowei.place(
        ARRAY[id], ARRAY[h.driver_id], ARRAY[h.request_hash], ARRAY[h.hospital_id], ARRAY[h.plate_hash],
        ARRAY[answer], ARRAY[why], option_agreements, option_classes,
        array_fill(1, ARRAY[cardinality(options)]), options, lifetimes, false, kept_back,
        stays) AS p;
    RETURN QUERY SELECT placed, o FROM bowei.hold o WHERE o.diversion_id = id ORDER BY o.ordinal DESC LIMIT 1;
END $$;

-- Changes since a snapshot, for the follower: every row changed by a transaction that `since` did not yet see.
CREATE FUNCTION bowei.promised_since(since xid8)
RETURNS TABLE (lot_id text, held integer, stays integer, version bigint, pools jsonb, refusal_rate double precision)
LANGUAGE sql STABLE AS $$
    SELECT p.lot_id, p.held, p.stays, p.version, coalesce(
        (SELECT jsonb_object_agg(q.agreement_id || '/' || q.space_class,
                                 jsonb_build_object('held', q.held, 'stays', q.stays))
         FROM bowei.pool_promise q WHERE q.lot_id = p.lot_id), '{}'::jsonb), p.refusal_rate
    FROM bowei.lot_promise p WHERE since IS NULL OR p.changed_in >= since
$$;

-- Every statement of a decision finds its rows by an index. Without this, plans made while the tables were small are
-- kept while they grow: the same placement took 15 ms instead of 1 with 10,000 live holds. As there is then one plan
-- for whatever is asked, it is made once for each connection, and not again for every call.
DO $$
DECLARE
    one regprocedure;
BEGIN
    FOR one IN SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'bowei'::regnamespace
        AND p.proname IN ('place', 'place_one', 'replace')
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off'
                       ' SET plan_cache_mode = force_generic_plan', one);
    END LOOP;
END $$;
