-- The versions of agreements. What is in force is in bowei.agreement, with which the ledger decides; here is how it came
-- to be, and what is to come. Nothing is edited: the schema refuses it.

CREATE TABLE bowei.agreement_version (
    agreement_id text COLLATE "C" NOT NULL CHECK (agreement_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$'),
    number       integer NOT NULL CHECK (number >= 1),
    lot_id       text COLLATE "C" NOT NULL CONSTRAINT version_lot REFERENCES bowei.lot,
    hospital_id  text COLLATE "C" NOT NULL CONSTRAINT version_hospital REFERENCES bowei.hospital,
    document     jsonb NOT NULL,             -- bowei.domain.agreements.Agreement
    first_day    date,                       -- its valid_from
    state        text NOT NULL CHECK (state IN ('proposed', 'accepted', 'declined', 'withdrawn')),
    side         text NOT NULL CHECK (side IN ('lot', 'hospital', 'both')),
    proposed_by  text NOT NULL,
    proposed_at  timestamptz NOT NULL DEFAULT bowei.now(),
    decided_by   text,
    decided_at   timestamptz,
    in_force_at  timestamptz,                -- when it took the place of the one before; null: never, or not yet
    PRIMARY KEY (agreement_id, number),
    CHECK ((state = 'proposed') = (decided_at IS NULL))
);
CREATE INDEX ON bowei.agreement_version (agreement_id) WHERE state = 'proposed';
CREATE INDEX ON bowei.agreement_version (first_day) WHERE state = 'accepted' AND in_force_at IS NULL;

CREATE FUNCTION bowei.keep_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.document, OLD.lot_id, OLD.hospital_id, OLD.side, OLD.proposed_by, OLD.proposed_at)
           IS DISTINCT FROM (NEW.document, NEW.lot_id, NEW.hospital_id, NEW.side, NEW.proposed_by, NEW.proposed_at)
       OR OLD.state <> 'proposed' AND (OLD.state, OLD.decided_by, OLD.decided_at)
           IS DISTINCT FROM (NEW.state, NEW.decided_by, NEW.decided_at) THEN
        RAISE EXCEPTION 'a version is never edited' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER never_edited BEFORE UPDATE ON bowei.agreement_version
    FOR EACH ROW EXECUTE FUNCTION bowei.keep_version();
