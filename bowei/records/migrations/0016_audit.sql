-- Every act of a person, noted before it is tried and again when it is known what became of it, and chained: the hash of
-- each entry covers the entry and the hash before it (bowei/domain/acts.py computes the same).

CREATE TABLE bowei.audit (
    serial      bigint PRIMARY KEY CHECK (serial >= 1),
    at          timestamptz NOT NULL,
    actor       text NOT NULL CHECK (length(actor) BETWEEN 1 AND 128),
    act         text NOT NULL CHECK (length(act) BETWEEN 1 AND 64),
    subject     text NOT NULL CHECK (length(subject) BETWEEN 1 AND 512),
    outcome     text NOT NULL CHECK (length(outcome) BETWEEN 1 AND 64),
    request_id  text NOT NULL CHECK (length(request_id) <= 64),
    body_sha256 bytea CHECK (octet_length(body_sha256) = 32),
    hash        bytea NOT NULL CHECK (octet_length(hash) = 32)
);

CREATE FUNCTION bowei.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is only added to' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE ON bowei.audit
    FOR EACH ROW EXECUTE FUNCTION bowei.refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON bowei.audit
    FOR EACH STATEMENT EXECUTE FUNCTION bowei.refuse_change();

-- A field with its length in front, so that no two lists of fields look alike.
CREATE FUNCTION bowei.netstring(field text) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT convert_to(octet_length(convert_to(field, 'UTF8')) || ':' || field || ',', 'UTF8')
$$;

-- One at a time: each needs the hash before it. Whoever reads is not kept waiting.
CREATE FUNCTION bowei.note_act(who text, what text, about text, became text, request text, body bytea)
RETURNS bowei.audit LANGUAGE plpgsql AS $$
DECLARE
    newest bowei.audit;
    noted bowei.audit;
BEGIN
    LOCK TABLE bowei.audit IN EXCLUSIVE MODE;
    SELECT * INTO newest FROM bowei.audit ORDER BY serial DESC LIMIT 1;
    noted := (coalesce(newest.serial, 0) + 1, bowei.now(), who, what, about, became, request, body, NULL);
    noted.hash := sha256(
        bowei.netstring(noted.serial::text)
        || bowei.netstring((extract(epoch FROM noted.at) * 1000000)::bigint::text)
        || bowei.netstring(who) || bowei.netstring(what) || bowei.netstring(about) || bowei.netstring(became)
        || bowei.netstring(request) || bowei.netstring(coalesce(encode(body, 'hex'), ''))
        || bowei.netstring(coalesce(encode(newest.hash, 'hex'), repeat('0', 64))));
    INSERT INTO bowei.audit SELECT noted.*;
    RETURN noted;
END $$;
