-- For services that do not own the schema (bowei/records/rights.py): what must be done as its owner runs as its owner,
-- with names that nobody can put others in the way of, and is nobody's to call but the role's that does it.
-- Days of history are tables, made and dropped; acts are noted under a lock that only who may change them can take.

ALTER FUNCTION bowei.make_day(date) SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION bowei.drop_day(timestamptz) SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION bowei.note_act(text, text, text, text, text, bytea) SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
REVOKE EXECUTE ON FUNCTION bowei.make_day(date), bowei.drop_day(timestamptz),
    bowei.note_act(text, text, text, text, text, bytea) FROM PUBLIC;
