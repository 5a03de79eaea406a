-- What is learned of lots for forecasts: how restless each is, what is usual in its week, what came of its chances. It
-- is worth keeping, and no loss where it is not: the process that foresees learns it again.

CREATE TABLE bowei.forecast (
    lot_id  text COLLATE "C" PRIMARY KEY REFERENCES bowei.lot ON DELETE CASCADE,
    learned bytea NOT NULL CHECK (octet_length(learned) <= 65536),   -- bowei.domain.foreseeing; of another form: unread
    kept_at timestamptz NOT NULL
);

CREATE TABLE bowei.forecast_city (                                   -- the same of all lots together
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    learned bytea NOT NULL CHECK (octet_length(learned) <= 65536),
    kept_at timestamptz NOT NULL
);
