-- Which refusals teach a lot's rate (0012): what anybody can say counts only where the car can have been there.
-- Core features of Postgres 14 to 18 only. The lot is locked by whoever ends the hold; nothing else is.

DROP TRIGGER note_arrival ON bowei.hold;

-- A car found its space, was refused on arrival, or rejected by the lot's barrier: the rate moves a fiftieth of the way
-- there. A refusal on arrival counts after half of the drive that was said, a minute at least; two where none was said.
-- Of one driver only the first of a day counts on a lot. The same rules as bowei.domain.margins.refusal_rate_after and
-- can_have_arrived; contract tests compare them.
CREATE OR REPLACE FUNCTION bowei.note_arrival() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    drive_s double precision;
BEGIN
    IF NEW.reason = 'refused_on_arrival' THEN
        drive_s := (SELECT (c.lot ->> 'drive_s')::double precision
                    FROM jsonb_array_elements(NEW.answer -> 'considered') AS c (lot)
                    WHERE c.lot ->> 'lot_id' = NEW.lot_id LIMIT 1);
        IF NEW.ended_at - NEW.placed_at < greatest(coalesce(drive_s / 2, 120), 60) * interval '1 second' THEN
            RETURN NULL;
        END IF;
    END IF;
    -- By the index of a lot's holds: none expires before it ends.
    IF NEW.state = 'revoked' AND EXISTS (
        SELECT FROM bowei.hold AS h
        WHERE h.lot_id = NEW.lot_id AND h.state = 'revoked' AND h.expires_at > NEW.ended_at - interval '1 day'
          AND h.driver_id = NEW.driver_id AND h.reason IN ('refused_on_arrival', 'barrier_refused')
          AND h.ended_at > NEW.ended_at - interval '1 day'
          AND (h.diversion_id, h.ordinal) <> (NEW.diversion_id, NEW.ordinal)) THEN
        RETURN NULL;
    END IF;
    UPDATE bowei.lot_promise AS p
        SET refusal_rate = p.refusal_rate + ((NEW.state = 'revoked')::integer::double precision - p.refusal_rate) / 50
        WHERE p.lot_id = NEW.lot_id AND (NEW.state = 'revoked' OR p.refusal_rate > 0);
    RETURN NULL;
END $$;

CREATE TRIGGER note_arrival AFTER UPDATE OF state ON bowei.hold FOR EACH ROW
    WHEN (OLD.ended_at IS NULL
          AND (NEW.state = 'settled'
               OR NEW.state = 'revoked' AND NEW.reason IN ('refused_on_arrival', 'barrier_refused')))
    EXECUTE FUNCTION bowei.note_arrival();
