-- The life of a diversion: a code for whoever has no app, news of each step, holds that are moved while their drivers
-- are on the way, and what barriers are told and answer.

-- ------------------------------------------------------------------------------------------------------------- codes

-- Eight digits: read aloud in any language, typed on any keypad; with 100 live holds on a lot one guess in a million is
-- right. Random by the server's strong generator, 48 bits of which no bit is a version's.
CREATE FUNCTION bowei.new_code() RETURNS text LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT lpad((('x' || left(replace(gen_random_uuid()::text, '-', ''), 12))::bit(48)::bigint % 100000000)::text, 8, '0')
$$;

ALTER TABLE bowei.hold
    ADD COLUMN code text DEFAULT bowei.new_code(),
    ADD COLUMN barred boolean NOT NULL DEFAULT false;    -- the lot's barrier refused to let the car in

-- What is printed on a slip stays true: a replacement keeps the code of the hold before.
CREATE FUNCTION bowei.keep_code() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.code := (SELECT h.code FROM bowei.hold h WHERE h.diversion_id = NEW.diversion_id AND h.ordinal = NEW.ordinal - 1);
    RETURN NEW;
END $$;
CREATE TRIGGER keep_code BEFORE INSERT ON bowei.hold FOR EACH ROW WHEN (NEW.ordinal > 1) EXECUTE FUNCTION bowei.keep_code();

-- As with plates, `IS NOT NULL` keeps a planner without statistics from taking it for an index of live holds.
CREATE INDEX live_codes ON bowei.hold (code) WHERE code IS NOT NULL AND state IN ('held', 'arrived', 'settled');

-- As in 0002, but a driver may say by which hold the car came: who was moved and did not hear of it is not in the lot of
-- the newest one.
--   outcomes: arrived (also when repeated, or already settled) | hold_over (also where `of_ordinal` is not the newest)
--             | unknown_diversion
DROP FUNCTION bowei.arrive(text, text, timestamptz);
CREATE FUNCTION bowei.arrive(id text, driver text, arrived timestamptz, of_ordinal integer DEFAULT NULL)
RETURNS TABLE (outcome text, hold bowei.hold) LANGUAGE plpgsql AS $$
DECLARE
    h bowei.hold := bowei.open_hold(id, driver);
    clock_at timestamptz := bowei.now();
BEGIN
    IF h.diversion_id IS NULL THEN
        RETURN QUERY SELECT 'unknown_diversion', NULL::bowei.hold;
    ELSIF h.ordinal <> of_ordinal THEN
        RETURN QUERY SELECT 'hold_over', h;
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

-- The car whose code the lot was shown is in the lot.
--   outcomes: those of `arrive`; unknown_diversion too where two live holds of the lot have this code
CREATE FUNCTION bowei.arrive_by_code(lot text, shown text) RETURNS TABLE (outcome text, hold bowei.hold)
LANGUAGE plpgsql AS $$
DECLARE
    live text[];
BEGIN
    live := ARRAY(SELECT h.diversion_id FROM bowei.hold h
                  WHERE h.code = shown AND h.code IS NOT NULL AND h.lot_id = lot AND h.state IN ('held', 'arrived'));
    IF cardinality(live) = 0 THEN
        live := ARRAY(SELECT h.diversion_id FROM bowei.hold h
                      WHERE h.code = shown AND h.code IS NOT NULL AND h.lot_id = lot AND h.state = 'settled'
                      ORDER BY h.placed_at DESC LIMIT 1);
    END IF;
    IF cardinality(live) <> 1 THEN
        RETURN QUERY SELECT 'unknown_diversion', NULL::bowei.hold;
        RETURN;
    END IF;
    RETURN QUERY SELECT a.outcome, a.hold FROM bowei.arrive(live[1], NULL, NULL) AS a;
END $$;

-- -------------------------------------------------------------------------------------------------------------- news

-- Each step is written under the lock of its lot, so that on one lot, and in one diversion, serials grow in the order
-- of commits. Over all lots they need not: news is read by the transaction that made it, as promises are (0002).
ALTER TABLE bowei.hold_step
    ADD COLUMN serial bigint GENERATED ALWAYS AS IDENTITY,
    ADD COLUMN changed_in xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX hold_news ON bowei.hold_step (changed_in);

-- Steps that change no count wake nobody by themselves.
CREATE FUNCTION bowei.tell_of_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('bowei_promised', '');
    RETURN NULL;
END $$;
CREATE TRIGGER tell_of_step AFTER INSERT ON bowei.hold_step FOR EACH ROW
    WHEN (NEW.state IN ('arrived', 'extended', 'barred')) EXECUTE FUNCTION bowei.tell_of_step();

-- ------------------------------------------------------------------------------------------------------------ moving

-- A driver who is on the way is moved to another lot: the replacement is granted and the old hold revoked in one
-- commit, or nothing happens. What `replace` did is undone where it granted nothing.
--   outcomes: granted | none (the old hold stays, as it is) | repeated | hold_over (it ended, or the car has arrived)
--             | unknown_diversion
CREATE FUNCTION bowei.move(
    id text, driver text, of_ordinal integer, why text, answer jsonb,
    option_agreements text[], option_classes text[], lifetimes double precision[],
    kept_back integer[], stays double precision[]
) RETURNS TABLE (outcome text, hold bowei.hold) LANGUAGE plpgsql AS $$
DECLARE
    newest bowei.hold;
    moved record;
BEGIN
    -- With its id locked a held hold can only expire, and that `replace` sees.
    PERFORM bowei.lock_ids(ARRAY[id, driver]);
    SELECT * INTO newest FROM bowei.hold AS o
        WHERE o.diversion_id = id AND o.driver_id = driver ORDER BY o.ordinal DESC LIMIT 1;
    IF newest.ordinal = of_ordinal AND newest.state <> 'held' THEN
        RETURN QUERY SELECT 'hold_over', newest;
        RETURN;
    END IF;
    BEGIN
        SELECT r.outcome, r.hold INTO moved FROM bowei.replace(
            id, driver, of_ordinal, 'revoked', why, answer, option_agreements, option_classes, lifetimes, kept_back, stays) AS r;
        IF moved.outcome IN ('none', 'driver_has_hold') THEN
            RAISE EXCEPTION USING ERRCODE = 'BW001', MESSAGE = 'nowhere to go';
        END IF;
    EXCEPTION WHEN SQLSTATE 'BW001' THEN
        RETURN QUERY SELECT 'none', newest;
        RETURN;
    END;
    RETURN QUERY SELECT moved.outcome, moved.hold;
END $$;

-- ---------------------------------------------------------------------------------------------------------- barriers

-- What a barrier is told is not written twice: its commands are the steps of the holds on its lot (`barrier_commands`).
-- Only what it answers is kept.
CREATE TABLE bowei.barrier_answer (
    diversion_id text COLLATE "C" NOT NULL,
    ordinal      integer NOT NULL,
    state        text NOT NULL,
    accepted     boolean NOT NULL,
    reason       text,
    at           timestamptz NOT NULL,
    PRIMARY KEY (diversion_id, ordinal, state),
    FOREIGN KEY (diversion_id, ordinal, state) REFERENCES bowei.hold_step
);

-- What the barrier of a lot is to be told, oldest first: let a car in (a hold that is held, or was extended), or don't
-- any more (one that ended without an arrival). To let a car in is old once its hold is over; all is old an hour after.
CREATE FUNCTION bowei.barrier_commands(lots text[])
RETURNS TABLE (lot_id text, serial bigint, state text, step_at timestamptz, answered boolean, hold bowei.hold)
LANGUAGE sql STABLE AS $$
    SELECT h.lot_id, s.serial, s.state, s.at, a.accepted, h
    FROM bowei.hold h
    JOIN bowei.hold_step s USING (diversion_id, ordinal)
    LEFT JOIN bowei.barrier_answer a ON a.diversion_id = s.diversion_id AND a.ordinal = s.ordinal AND a.state = s.state
    WHERE h.lot_id = ANY (lots) AND h.state IN ('held', 'arrived', 'settled', 'released', 'expired', 'revoked')
      AND h.expires_at > bowei.now() - interval '1 hour'
      AND (s.state IN ('released', 'expired', 'revoked') AND h.arrived_at IS NULL
           OR s.state IN ('held', 'extended') AND h.state = 'held')
    ORDER BY s.serial
$$;

-- The barrier answers a command; its last word counts. One that refuses to let a car in bars the hold.
--   outcomes: answered | unknown_command (not this lot's, or too old)
CREATE FUNCTION bowei.answer_barrier(lot text, command bigint, yes boolean, why text)
RETURNS TABLE (outcome text, state text, hold bowei.hold) LANGUAGE plpgsql AS $$
DECLARE
    id text;
    told record;
    h bowei.hold;
    clock_at timestamptz;
BEGIN
    SELECT o.diversion_id INTO id FROM bowei.hold o JOIN bowei.hold_step s USING (diversion_id, ordinal)
        WHERE o.lot_id = lot AND o.state IN ('held', 'arrived', 'settled', 'released', 'expired', 'revoked')
          AND o.expires_at > bowei.now() - interval '1 hour'
          AND s.serial = command AND s.state IN ('held', 'extended', 'released', 'expired', 'revoked');
    IF id IS NULL THEN
        RETURN QUERY SELECT 'unknown_command', NULL::text, NULL::bowei.hold;
        RETURN;
    END IF;
    PERFORM bowei.lock_ids(ARRAY[id]), bowei.lock_lots(ARRAY[lot]);
    clock_at := bowei.now();
    SELECT s.ordinal, s.state INTO told FROM bowei.hold_step s WHERE s.diversion_id = id AND s.serial = command;
    INSERT INTO bowei.barrier_answer (diversion_id, ordinal, state, accepted, reason, at)
        VALUES (id, told.ordinal, told.state, yes, why, clock_at)
        ON CONFLICT ON CONSTRAINT barrier_answer_pkey
        DO UPDATE SET accepted = excluded.accepted, reason = excluded.reason, at = excluded.at;
    IF told.state IN ('held', 'extended') THEN
        UPDATE bowei.hold AS o SET barred = NOT yes
            WHERE o.diversion_id = id AND o.ordinal = told.ordinal AND o.state = 'held' AND o.barred = yes;
        IF FOUND AND NOT yes THEN
            INSERT INTO bowei.hold_step (diversion_id, ordinal, state, at, reason)
                VALUES (id, told.ordinal, 'barred', clock_at, why) ON CONFLICT DO NOTHING;
        END IF;
    END IF;
    RETURN QUERY SELECT 'answered', told.state, o FROM bowei.hold o WHERE o.diversion_id = id AND o.ordinal = told.ordinal;
END $$;

-- ------------------------------------------------------------------------------------------------------------- gates

CREATE TABLE bowei.gate_key (                  -- by which the staff at a hospital's gate diverts cars without an app
    hospital_id text COLLATE "C" PRIMARY KEY REFERENCES bowei.hospital,
    key_sha256  bytea NOT NULL UNIQUE CHECK (octet_length(key_sha256) = 32)
);

-- As in 0002: every statement of a decision finds its rows by an index, and its plan is made once.
DO $$
DECLARE
    one regprocedure;
BEGIN
    FOR one IN SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'bowei'::regnamespace
        AND p.proname IN ('arrive', 'move', 'arrive_by_code', 'answer_barrier', 'barrier_commands')
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off'
                       ' SET plan_cache_mode = force_generic_plan', one);
    END LOOP;
END $$;
