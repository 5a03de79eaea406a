-- Who a hold was for is forgotten: plates and codes a day after the car is gone, drivers when their time is over.
-- The indexes hold only what is to be forgotten, and are written when a hold ends, not when it is promised.
CREATE INDEX plates_to_forget ON bowei.hold (ended_at)
    WHERE ended_at IS NOT NULL AND (plate_hash IS NOT NULL OR code IS NOT NULL);
CREATE INDEX drivers_to_forget ON bowei.hold (ended_at) WHERE ended_at IS NOT NULL AND driver_id <> 'forgotten';
CREATE INDEX ended_holds_of_driver ON bowei.hold (driver_id) WHERE ended_at IS NOT NULL AND driver_id <> 'forgotten';
CREATE INDEX tombstones_by_time ON bowei.given_up (at);
CREATE INDEX repeats_by_time ON bowei.repeat USING brin (at);

-- What stays of how a lot was chosen: what the check of broken promises reads.
CREATE FUNCTION bowei.impersonal(answer jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object('offered_before', answer -> 'offered_before'))
$$;

-- Whether the car of a hold may stand in its lot still: then its plate is needed, to see it leave.
CREATE FUNCTION bowei.stays_on(id text, nth integer) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM bowei.stay s WHERE s.diversion_id = id AND s.ordinal = nth AND s.ended_at IS NULL)
$$;

CREATE FUNCTION bowei.forget_persons(plates_kept interval, drivers_kept interval, most integer)
RETURNS TABLE (plates integer, drivers integer, leavings integer) LANGUAGE plpgsql AS $$
DECLARE
    clock_at timestamptz := bowei.now();
    more integer;
BEGIN
    UPDATE bowei.hold h SET plate_hash = NULL, code = NULL FROM (
        SELECT o.diversion_id, o.ordinal FROM bowei.hold o
        WHERE o.ended_at IS NOT NULL AND (o.plate_hash IS NOT NULL OR o.code IS NOT NULL)
          AND o.ended_at <= clock_at - plates_kept AND NOT bowei.stays_on(o.diversion_id, o.ordinal)
        ORDER BY o.ended_at LIMIT most FOR UPDATE SKIP LOCKED) AS old
    WHERE h.diversion_id = old.diversion_id AND h.ordinal = old.ordinal;
    GET DIAGNOSTICS plates = ROW_COUNT;
    UPDATE bowei.hold h SET driver_id = 'forgotten', answer = bowei.impersonal(h.answer) FROM (
        SELECT o.diversion_id, o.ordinal FROM bowei.hold o
        WHERE o.ended_at IS NOT NULL AND o.driver_id <> 'forgotten'
          AND o.ended_at <= clock_at - drivers_kept AND NOT bowei.stays_on(o.diversion_id, o.ordinal)
        ORDER BY o.ended_at LIMIT most FOR UPDATE SKIP LOCKED) AS old
    WHERE h.diversion_id = old.diversion_id AND h.ordinal = old.ordinal;
    GET DIAGNOSTICS drivers = ROW_COUNT;
    DELETE FROM bowei.given_up WHERE diversion_id IN (
        SELECT g.diversion_id FROM bowei.given_up g WHERE g.at <= clock_at - drivers_kept LIMIT most);
    GET DIAGNOSTICS leavings = ROW_COUNT;
    DELETE FROM bowei.repeat WHERE ctid = ANY (ARRAY(
        SELECT r.ctid FROM bowei.repeat r WHERE r.at <= clock_at - plates_kept LIMIT most));
    GET DIAGNOSTICS more = ROW_COUNT;
    leavings := leavings + more;
    RETURN NEXT;
END $$;

CREATE FUNCTION bowei.kept_too_long(plates_kept interval, drivers_kept interval) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT (SELECT count(*) FROM bowei.hold h
            WHERE h.ended_at IS NOT NULL AND (h.plate_hash IS NOT NULL OR h.code IS NOT NULL)
              AND h.ended_at <= bowei.now() - plates_kept - interval '1 hour'
              AND NOT bowei.stays_on(h.diversion_id, h.ordinal))
         + (SELECT count(*) FROM bowei.hold h WHERE h.ended_at IS NOT NULL AND h.driver_id <> 'forgotten'
              AND h.ended_at <= bowei.now() - drivers_kept - interval '1 hour'
              AND NOT bowei.stays_on(h.diversion_id, h.ordinal))
$$;

-- False: something is under way for this driver, and would be lost.
CREATE FUNCTION bowei.erase_driver(driver text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM bowei.hold h WHERE h.state IN ('held', 'arrived') AND h.driver_id = driver;
    IF FOUND THEN
        RETURN false;
    END IF;
    PERFORM FROM bowei.hold h WHERE h.ended_at IS NOT NULL AND h.driver_id <> 'forgotten' AND h.driver_id = driver
        AND h.state = 'settled' AND bowei.stays_on(h.diversion_id, h.ordinal);
    IF FOUND THEN
        RETURN false;
    END IF;
    UPDATE bowei.hold h SET driver_id = 'forgotten', answer = bowei.impersonal(h.answer), plate_hash = NULL, code = NULL
        WHERE h.ended_at IS NOT NULL AND h.driver_id <> 'forgotten' AND h.driver_id = driver;
    DELETE FROM bowei.given_up g WHERE g.driver_id = driver;
    RETURN true;
END $$;
