-- The parties that may sign in at the registry, and the code by which the first of them does.

CREATE TABLE bowei.party (
    party_id      text COLLATE "C" PRIMARY KEY CHECK (party_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$'),
    role          text NOT NULL,
    name_zh       text NOT NULL,
    name_en       text NOT NULL,
    lots          text[] NOT NULL DEFAULT '{}',      -- what it speaks for; ids that nobody registered open nothing
    hospitals     text[] NOT NULL DEFAULT '{}',
    blocks        text[] NOT NULL DEFAULT '{}',
    suspended     boolean NOT NULL DEFAULT false,
    secret_sha256 bytea CHECK (octet_length(secret_sha256) = 32)
);

CREATE TABLE bowei.first_code (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    sha256      bytea NOT NULL CHECK (octet_length(sha256) = 32),
    valid_until timestamptz NOT NULL
);
