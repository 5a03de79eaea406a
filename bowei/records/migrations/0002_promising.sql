-- How promises are made, kept and ended. Every function here follows one order of locks:
--   1. advisory locks on diversion and driver ids, ascending by hash
--   2. rows of lot_promise, ascending by lot_id
--   3. everything else of those lots
-- so that no two of them can wait for each other.

CREATE FUNCTION bowei.lock_ids(ids text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(k)
    FROM (SELECT DISTINCT hashtextextended(id, 0) AS k FROM unnest(ids) AS id ORDER BY k) AS sorted;
END $$;

CREATE FUNCTION bowei.lock_lots(lots text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM bowei.lot_promise WHERE lot_id = ANY (lots) ORDER BY lot_id FOR UPDATE;
END $$;

-- Add deltas to the counters of lots and pools, one row of arrays per hold that changed. The lots are locked.
CREATE FUNCTION bowei.adjust(lots text[], agreements text[], classes text[], held_by integer[], stays_by integer[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(lots) IS NULL OR cardinality(lots) = 0 THEN
        RETURN;
    END IF;
    INSERT INTO bowei.pool_promise AS p (agreement_id, space_class, lot_id, held, stays)
        SELECT d.agreement_id, d.space_class, min(d.lot_id), 0, 0
        FROM unnest(lots, agreements, classes) AS d (lot_id, agreement_id, space_class)
        GROUP BY 1, 2
        ON CONFLICT (agreement_id, space_class) DO NOTHING;
    UPDATE bowei.pool_promise AS p SET held = p.held + d.held_by, stays = p.stays + d.stays_by
        FROM (SELECT agreement_id, space_class, sum(h)::integer AS held_by, sum(s)::integer AS stays_by
              FROM unnest(agreements, classes, held_by, stays_by) AS u (agreement_id, space_class, h, s)
              GROUP BY 1, 2) AS d
        WHERE p.agreement_id = d.agreement_id AND p.space_class = d.space_class;
    UPDATE bowei.lot_promise AS p
        SET held = p.held + d.held_by, stays = p.stays + d.stays_by,
            version = p.version + 1, changed_in = pg_current_xact_id()
        FROM (SELECT lot_id, sum(h)::integer AS held_by, sum(s)::integer AS stays_by
              FROM unnest(lots, held_by, stays_by) AS u (lot_id, h, s) GROUP BY 1) AS d
        WHERE p.lot_id = d.lot_id;
    PERFORM pg_notify('bowei_promised', '');
END $$;

-- End the held holds whose time has come: at the very instant of expires_at a hold is over. The lots are locked.
CREATE FUNCTION bowei.expire_due(lots text[], at timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    ended record;
BEGIN
    WITH due AS (
        UPDATE bowei.hold SET state = 'expired', ended_at = at, reason = 'not_arrived'
        WHERE lot_id = ANY (lots) AND state = 'held' AND expires_at <= at
        RETURNING diversion_id, ordinal, lot_id, agreement_id, space_class
    ), steps AS (
        INSERT INTO bowei.hold_step (diversion_id, ordinal, state, at, reason)
        SELECT diversion_id, ordinal, 'expired', expire_due.at, 'not_arrived' FROM due
    )
    SELECT count(*)::integer AS n, array_agg(lot_id) AS lots, array_agg(agreement_id) AS agreements,
           array_agg(space_class) AS classes, array_agg(-1) AS minus, array_agg(0) AS zero
    INTO ended FROM due;
    IF ended.n > 0 THEN
        PERFORM bowei.adjust(ended.lots, ended.agreements, ended.classes, ended.minus, ended.zero);
    END IF;
    RETURN ended.n;
END $$;

-- Settle arrived cars that a newer report shows in the count, or that none has shown within the limit (an alarm):
-- the hold ends and a stay begins. The lots are locked. Call it before reading reports, so that the reports read
-- are at least as new as the ones settled by.
CREATE FUNCTION bowei.settle(lots text[], at timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    ended record;
BEGIN
    WITH shown AS (
        SELECT h.diversion_id, h.ordinal,
               CASE WHEN r.counted_at > h.arrived_at THEN 'counted' ELSE 'settle_limit' END AS why
        FROM bowei.hold h LEFT JOIN bowei.report r USING (lot_id)
        WHERE h.lot_id = ANY (lots) AND h.state = 'arrived'
          AND (r.counted_at > h.arrived_at OR h.arrived_at + interval '15 minutes' <= at)
    ), done AS (
        UPDATE bowei.hold h SET state = 'settled', ended_at = at, reason = s.why
        FROM shown s WHERE h.diversion_id = s.diversion_id AND h.ordinal = s.ordinal
        RETURNING h.diversion_id, h.ordinal, h.lot_id, h.agreement_id, h.space_class, h.arrived_at, s.why
    ), steps AS (
        INSERT INTO bowei.hold_step (diversion_id, ordinal, state, at, reason)
        SELECT diversion_id, ordinal, 'settled', settle.at, why FROM done
    ), begun AS (
        INSERT INTO bowei.stay (diversion_id, ordinal, lot_id, agreement_id, space_class, began_at)
        SELECT diversion_id, ordinal, lot_id, agreement_id, space_class, arrived_at FROM done
    )
    SELECT count(*)::integer AS n, array_agg(lot_id) AS lots, array_agg(agreement_id) AS agreements,
           array_agg(space_class) AS classes, array_agg(-1) AS minus, array_agg(1) AS plus
    INTO ended FROM done;
    IF ended.n > 0 THEN
        PERFORM bowei.adjust(ended.lots, ended.agreements, ended.classes, ended.minus, ended.plus);
    END IF;
    RETURN ended.n;
END $$;

-- End the stays whose agreement's longest stay has passed (an alarm: their exit was never seen). The lots are locked.
CREATE FUNCTION bowei.end_overlong_stays(lots text[], at timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    ended record;
BEGIN
    WITH done AS (
        UPDATE bowei.stay s SET ended_at = at, reason = 'max_stay'
        FROM bowei.agreement a
        WHERE s.lot_id = ANY (lots) AND s.ended_at IS NULL AND a.agreement_id = s.agreement_id
          AND s.began_at + a.max_stay <= at
        RETURNING s.lot_id, s.agreement_id, s.space_class
    )
    SELECT count(*)::integer AS n, array_agg(lot_id) AS lots, array_agg(agreement_id) AS agreements,
           array_agg(space_class) AS classes, array_agg(0) AS zero, array_agg(-1) AS minus
    INTO ended FROM done;
    IF ended.n > 0 THEN
        PERFORM bowei.adjust(ended.lots, ended.agreements, ended.classes, ended.zero, ended.minus);
    END IF;
    RETURN ended.n;
END $$;

-- Housekeeping: do what is due on lots that nobody asks about. A late sweep only under-promises.
CREATE FUNCTION bowei.sweep(most integer) RETURNS TABLE (expired integer, settled integer, overlong integer)
LANGUAGE plpgsql AS $$
DECLARE
    clock_at timestamptz := bowei.now();
    due_lots text[];
BEGIN
    SELECT array_agg(lot_id) INTO due_lots FROM (
        SELECT lot_id FROM bowei.hold WHERE state = 'held' AND expires_at <= clock_at
      UNION
        SELECT h.lot_id FROM bowei.hold h LEFT JOIN bowei.report r USING (lot_id)
        WHERE h.state = 'arrived' AND (r.counted_at > h.arrived_at OR h.arrived_at + interval '15 minutes' <= clock_at)
      UNION
        SELECT s.lot_id FROM bowei.stay s JOIN bowei.agreement a USING (agreement_id)
        WHERE s.ended_at IS NULL AND s.began_at + a.max_stay <= clock_at
      LIMIT most
    ) AS due;
    IF due_lots IS NULL THEN
        RETURN QUERY SELECT 0, 0, 0;
        RETURN;
    END IF;
    PERFORM bowei.lock_lots(due_lots);
    clock_at := bowei.now();
    expired := bowei.expire_due(due_lots, clock_at);
    settled := bowei.settle(due_lots, clock_at);
    overlong := bowei.end_overlong_stays(due_lots, clock_at);
    RETURN NEXT;
END $$;

-- How many spaces each option (agreement and class) may still promise, with what limits it: one row per option, also
-- of an agreement that is gone (lot_id is null). The lots are locked.
CREATE FUNCTION bowei.rooms(agreements text[], classes text[], at timestamptz)
RETURNS TABLE (option integer, lot_id text, space_class text, free_room integer, open_room integer, class_room integer,
               pool_room integer, margin integer)
LANGUAGE sql STABLE AS $$
    SELECT o.option::integer, a.lot_id, o.space_class,
           CASE WHEN r.free IS NOT NULL AND r.state = 'open'
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

-- Place a batch: grant each request the first of its candidates that has room, in the order given. No id and no
-- driver stands in a batch twice; that is the caller's duty, and the indexes refuse it otherwise.
--   candidates point at a request (1..n) and at an option (an agreement and a class), best first
-- `passes_by` is for a second try after somebody kept a lot locked for too long: locked lots are passed by, and who has
-- no other is told so.
--   outcomes: granted | repeated | id_reused | unknown_diversion | driver_has_hold | given_up | none | lot_locked
CREATE FUNCTION bowei.place(
    ids text[], drivers text[], hashes bytea[], hospitals text[], plates bytea[], answers jsonb[], replaced text[],
    option_agreements text[], option_classes text[],
    candidate_requests integer[], candidate_options integer[], candidate_lifetimes double precision[],
    passes_by boolean DEFAULT false
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
        room := least(free_room[lot_lead] - margins[option_of], open_room[lot_lead], class_room[class_lead],
                      pool_room[option_of]);
        IF (option_lots[option_of] = ANY (lots)) IS NOT TRUE THEN
            -- Somebody else has it locked, or its agreement was moved to another lot just now.
            passed_by := passed_by || request_of;
        ELSIF room > 0 THEN
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
    option_agreements text[], option_classes text[], lifetimes double precision[]
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
            ARRAY(SELECT generate_subscripts(lifetimes, 1)), lifetimes) AS p;
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
        SELECT r.option, r.lot_id, least(r.free_room - r.margin, r.open_room, r.class_room, r.pool_room) AS room
        FROM bowei.rooms(option_agreements, option_classes, clock_at) AS r WHERE r.lot_id = ANY (lots)
        OFFSET 0  -- each room is worked out once
    ) AS o WHERE o.room > 0 ORDER BY o.option LIMIT 1;
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

-- Find a diversion's newest hold for its driver (null: whoever asks may), with its lot locked and what is due done.
CREATE FUNCTION bowei.open_hold(id text, driver text) RETURNS bowei.hold LANGUAGE plpgsql AS $$
DECLARE
    found_hold bowei.hold;
    clock_at timestamptz;
BEGIN
    PERFORM bowei.lock_ids(ARRAY[id]);
    SELECT * INTO found_hold FROM bowei.hold
        WHERE diversion_id = id AND (driver IS NULL OR driver_id = driver) ORDER BY ordinal DESC LIMIT 1;
    IF found_hold.lot_id IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM bowei.lock_lots(ARRAY[found_hold.lot_id]);
    clock_at := bowei.now();
    PERFORM bowei.expire_due(ARRAY[found_hold.lot_id], clock_at);
    PERFORM bowei.settle(ARRAY[found_hold.lot_id], clock_at);
    SELECT * INTO found_hold FROM bowei.hold WHERE diversion_id = id AND ordinal = found_hold.ordinal FOR UPDATE;
    RETURN found_hold;
END $$;

-- End a live hold. Its lot is locked.
CREATE FUNCTION bowei.end_live(h bowei.hold, new_state text, why text, at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE bowei.hold SET state = new_state, ended_at = at, reason = why
        WHERE diversion_id = h.diversion_id AND ordinal = h.ordinal;
    INSERT INTO bowei.hold_step (diversion_id, ordinal, state, at, reason)
        VALUES (h.diversion_id, h.ordinal, new_state, end_live.at, why);
    PERFORM bowei.adjust(ARRAY[h.lot_id], ARRAY[h.agreement_id], ARRAY[h.space_class], ARRAY[-1], ARRAY[0]);
END $$;

-- The count shows the car of an arrived hold: the hold ends and a stay begins. Its lot is locked.
CREATE FUNCTION bowei.begin_stay(h bowei.hold, why text, at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM bowei.end_live(h, 'settled', why, at);
    INSERT INTO bowei.stay (diversion_id, ordinal, lot_id, agreement_id, space_class, began_at)
        VALUES (h.diversion_id, h.ordinal, h.lot_id, h.agreement_id, h.space_class, h.arrived_at);
    PERFORM bowei.adjust(ARRAY[h.lot_id], ARRAY[h.agreement_id], ARRAY[h.space_class], ARRAY[0], ARRAY[1]);
END $$;

-- The driver gives up. Of an id that never granted a tombstone is kept, so that a late attempt can't grant.
--   outcomes: released (also when it already was) | hold_over | given_up
CREATE FUNCTION bowei.release(id text, driver text) RETURNS TABLE (outcome text, hold bowei.hold) LANGUAGE plpgsql AS $$
DECLARE
    h bowei.hold := bowei.open_hold(id, driver);
    clock_at timestamptz := bowei.now();
BEGIN
    IF h.diversion_id IS NULL THEN
        IF EXISTS (SELECT FROM bowei.hold o WHERE o.diversion_id = id) THEN
            RETURN QUERY SELECT 'unknown_diversion', NULL::bowei.hold;
            RETURN;
        END IF;
        -- A repeat writes too, so that it waits until the standby has the tombstone.
        INSERT INTO bowei.given_up AS g (diversion_id, driver_id, at) VALUES (id, driver, clock_at)
            ON CONFLICT (diversion_id) DO UPDATE SET at = g.at;
        RETURN QUERY SELECT 'given_up', NULL::bowei.hold;
        RETURN;
    END IF;
    IF h.state IN ('held', 'arrived') THEN
        PERFORM bowei.end_live(h, 'released', 'given_up', clock_at);
    END IF;
    RETURN QUERY SELECT CASE WHEN o.state = 'released' THEN 'released' ELSE 'hold_over' END, o
        FROM bowei.hold o WHERE o.diversion_id = id AND o.ordinal = h.ordinal;
END $$;

-- Keep a held hold longer, once.
--   outcomes: extended (also when repeated with the same length) | already_extended | hold_over | unknown_diversion
CREATE FUNCTION bowei.extend(id text, driver text, longer interval) RETURNS TABLE (outcome text, hold bowei.hold)
LANGUAGE plpgsql AS $$
DECLARE
    h bowei.hold := bowei.open_hold(id, driver);
    clock_at timestamptz := bowei.now();
BEGIN
    IF h.diversion_id IS NULL THEN
        RETURN QUERY SELECT 'unknown_diversion', NULL::bowei.hold;
    ELSIF h.state <> 'held' THEN
        RETURN QUERY SELECT 'hold_over', h;
    ELSIF h.extended_by = longer THEN
        INSERT INTO bowei.repeat (diversion_id, at) VALUES (id, clock_at);
        RETURN QUERY SELECT 'extended', h;
    ELSIF h.extended_by IS NOT NULL THEN
        RETURN QUERY SELECT 'already_extended', h;
    ELSE
        UPDATE bowei.hold SET extended_by = longer, expires_at = expires_at + longer
            WHERE diversion_id = id AND ordinal = h.ordinal;
        INSERT INTO bowei.hold_step (diversion_id, ordinal, state, at) VALUES (id, h.ordinal, 'extended', clock_at);
        RETURN QUERY SELECT 'extended', o FROM bowei.hold o WHERE o.diversion_id = id AND o.ordinal = h.ordinal;
    END IF;
END $$;

-- The car is in the lot. Its place stays held until the count shows it.
--   outcomes: arrived (also when repeated, or already settled) | hold_over | unknown_diversion
CREATE FUNCTION bowei.arrive(id text, driver text, arrived timestamptz) RETURNS TABLE (outcome text, hold bowei.hold)
LANGUAGE plpgsql AS $$
DECLARE
    h bowei.hold := bowei.open_hold(id, driver);
    clock_at timestamptz := bowei.now();
BEGIN
    IF h.diversion_id IS NULL THEN
        RETURN QUERY SELECT 'unknown_diversion', NULL::bowei.hold;
    ELSIF h.state = 'held' THEN
        UPDATE bowei.hold SET state = 'arrived', arrived_at = least(coalesce(arrived, clock_at), clock_at)
            WHERE diversion_id = id AND ordinal = h.ordinal;
        INSERT INTO bowei.hold_step (diversion_id, ordinal, state, at) VALUES (id, h.ordinal, 'arrived', clock_at);
        RETURN QUERY SELECT 'arrived', o FROM bowei.hold o WHERE o.diversion_id = id AND o.ordinal = h.ordinal;
    ELSIF h.state IN ('arrived', 'settled') THEN
        INSERT INTO bowei.repeat (diversion_id, at) VALUES (id, clock_at);
        RETURN QUERY SELECT 'arrived', h;
    ELSE
        RETURN QUERY SELECT 'hold_over', h;
    END IF;
END $$;

-- The car leaves. A car that no count had shown yet is settled and gone in one step.
--   outcomes: left (also when repeated) | hold_over | unknown_diversion
CREATE FUNCTION bowei.leave(id text, driver text, why text) RETURNS TABLE (outcome text, hold bowei.hold)
LANGUAGE plpgsql AS $$
DECLARE
    h bowei.hold := bowei.open_hold(id, driver);
    clock_at timestamptz := bowei.now();
BEGIN
    IF h.diversion_id IS NULL THEN
        RETURN QUERY SELECT 'unknown_diversion', NULL::bowei.hold;
        RETURN;
    ELSIF h.state = 'arrived' THEN
        PERFORM bowei.end_live(h, 'settled', 'left', clock_at);
        INSERT INTO bowei.stay (diversion_id, ordinal, lot_id, agreement_id, space_class, began_at, ended_at, reason)
            VALUES (id, h.ordinal, h.lot_id, h.agreement_id, h.space_class, h.arrived_at, clock_at, why);
    ELSIF h.state = 'settled' THEN
        UPDATE bowei.stay SET ended_at = clock_at, reason = why
            WHERE diversion_id = id AND ordinal = h.ordinal AND ended_at IS NULL;
        IF FOUND THEN
            PERFORM bowei.adjust(ARRAY[h.lot_id], ARRAY[h.agreement_id], ARRAY[h.space_class], ARRAY[0], ARRAY[-1]);
        ELSE
            INSERT INTO bowei.repeat (diversion_id, at) VALUES (id, clock_at);
        END IF;
    ELSE
        RETURN QUERY SELECT 'hold_over', h;
        RETURN;
    END IF;
    RETURN QUERY SELECT 'left', o FROM bowei.hold o WHERE o.diversion_id = id AND o.ordinal = h.ordinal;
END $$;

-- The promise failed, or can't be kept: end the old hold and grant a replacement in the same commit.
--   outcomes: those of `place` for a replacement that was looked for; the old hold ends in any case
--             | repeated (this hold was already replaced or ended so) | hold_over | unknown_diversion
CREATE FUNCTION bowei.replace(
    id text, driver text, of_ordinal integer, new_state text, why text, answer jsonb,
    option_agreements text[], option_classes text[], lifetimes double precision[]
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
        array_fill(1, ARRAY[cardinality(options)]), options, lifetimes) AS p;
    RETURN QUERY SELECT placed, o FROM bowei.hold o WHERE o.diversion_id = id ORDER BY o.ordinal DESC LIMIT 1;
END $$;

-- Changes since a snapshot, for the follower: every row changed by a transaction that `since` did not yet see.
CREATE FUNCTION bowei.promised_since(since xid8)
RETURNS TABLE (lot_id text, held integer, stays integer, version bigint, pools jsonb) LANGUAGE sql STABLE AS $$
    SELECT p.lot_id, p.held, p.stays, p.version, coalesce(
        (SELECT jsonb_object_agg(q.agreement_id || '/' || q.space_class,
                                 jsonb_build_object('held', q.held, 'stays', q.stays))
         FROM bowei.pool_promise q WHERE q.lot_id = p.lot_id), '{}'::jsonb)
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
        AND p.proname IN ('place', 'place_one', 'release', 'extend', 'arrive', 'leave', 'replace', 'sweep')
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off'
                       ' SET plan_cache_mode = force_generic_plan', one);
    END LOOP;
END $$;
