-- Public holidays, and working days made up for them: a lot's calendar says what such a day counts as.
-- The functions that read no calendar stay for the release before, which calls them.

CREATE TABLE bowei.calendar (
    calendar_id text COLLATE "C" PRIMARY KEY CHECK (calendar_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$'),
    name_zh     text NOT NULL,
    name_en     text NOT NULL
);
CREATE TABLE bowei.calendar_day (
    calendar_id text COLLATE "C" NOT NULL REFERENCES bowei.calendar ON DELETE CASCADE,
    day         date NOT NULL,
    counts_as   smallint NOT NULL CHECK (counts_as BETWEEN 1 AND 8),     -- an ISO weekday; 8: a public holiday
    PRIMARY KEY (calendar_id, day)
);
ALTER TABLE bowei.lot ADD COLUMN calendar_id text COLLATE "C"
    CONSTRAINT lot_calendar_id_fkey REFERENCES bowei.calendar;

-- A window may name holidays too.
ALTER TABLE bowei.lending_window DROP CONSTRAINT lending_window_days_check;
ALTER TABLE bowei.lending_window ADD CONSTRAINT lending_window_days_check
    CHECK (cardinality(days) > 0 AND days <@ '{1,2,3,4,5,6,7,8}'::smallint[]);

-- What a day counts as by a calendar; by none, the weekday that it is. The lookup is a function that is never written into
-- the statement that asks: most lots name no calendar, and every request would pay for it.
CREATE FUNCTION bowei.named_day(calendar text, local_day date) RETURNS smallint LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    RETURN (SELECT d.counts_as FROM bowei.calendar_day d WHERE d.calendar_id = calendar AND d.day = local_day);
END $$;
CREATE FUNCTION bowei.kind_of_day(calendar text, local_day date) RETURNS smallint
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(CASE WHEN calendar IS NOT NULL THEN bowei.named_day(calendar, local_day) END,
                    extract(isodow FROM local_day)::smallint)
$$;

-- Whether a window of these days lends on a day of a kind. All seven weekdays are every day: holidays too.
CREATE FUNCTION bowei.lends_on(days smallint[], kind smallint) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT kind = ANY (days) OR (kind = 8 AND days @> '{1,2,3,4,5,6,7}'::smallint[])
$$;

CREATE FUNCTION bowei.window_covers(days smallint[], starts time, stops time, local timestamp, calendar text)
RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN starts < stops
        THEN local::time >= starts AND local::time < stops AND bowei.lends_on(days, bowei.kind_of_day(calendar, local::date))
        ELSE (local::time >= starts AND bowei.lends_on(days, bowei.kind_of_day(calendar, local::date)))
          OR (local::time < stops AND bowei.lends_on(days, bowei.kind_of_day(calendar, local::date - 1)))
    END
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
      AND bowei.window_covers(w.days, w.starts, w.stops, at AT TIME ZONE l.timezone, l.calendar_id)
    GROUP BY w.agreement_id, w.space_class
$$;

CREATE OR REPLACE FUNCTION bowei.out_by(agreement text, class text, local timestamp) RETURNS timestamp
LANGUAGE sql STABLE AS $$
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
            JOIN bowei.agreement a USING (agreement_id)
            JOIN bowei.lot l USING (lot_id)
            WHERE w.agreement_id = agreement AND w.space_class = class
              AND bowei.window_covers(w.days, w.starts, w.stops, t.at, l.calendar_id)), 0) = 0
    ) AS e
$$;
