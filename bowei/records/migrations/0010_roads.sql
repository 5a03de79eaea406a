-- Roads as the city says them: speeds that hold for a while, and areas that are closed.
-- One change at a time: each begins by raising the version. Core features of Postgres 14 to 18 only.

CREATE TABLE bowei.road_version (              -- a row, not a sequence: seen with the change it counts, never before it
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint NOT NULL DEFAULT 0
);
INSERT INTO bowei.road_version DEFAULT VALUES;

CREATE TABLE bowei.road_speed (
    way         bigint PRIMARY KEY CHECK (way <> 0),   -- the map's number; negative: against the way as drawn
    speed       real NOT NULL CHECK (speed <> 0),      -- km/h above 0, or minus a share of the usual speed
    valid_until timestamptz NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE bowei.road_line_speed (
    line_sha256 bytea PRIMARY KEY,
    line        jsonb NOT NULL,                        -- [[lat, lon], …], WGS-84, in the direction of driving
    speed       real NOT NULL CHECK (speed <> 0),
    valid_until timestamptz NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE bowei.road_closure (
    closure_id  text COLLATE "C" PRIMARY KEY CHECK (closure_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$'),
    starts_at   timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL CHECK (ends_at > starts_at),
    document    jsonb NOT NULL                         -- bowei.domain.road_conditions.Closure
);
