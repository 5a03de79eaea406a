-- What the staff at a hospital's gate said last: how many cars wait, and that none is sent elsewhere for a while.
-- Its history is in the audit, which each word is noted in.

CREATE TABLE bowei.gate_word (
    hospital_id    text COLLATE "C" PRIMARY KEY REFERENCES bowei.hospital ON DELETE CASCADE,
    queue_vehicles integer CHECK (queue_vehicles BETWEEN 0 AND 500),
    queue_said_at  timestamptz,
    paused_until   timestamptz,
    CHECK ((queue_vehicles IS NULL) = (queue_said_at IS NULL))
);
