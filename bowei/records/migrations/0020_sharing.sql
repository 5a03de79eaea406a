-- What sharing brought, by month: for those who share. The index is small, and costs a promise nothing.
CREATE INDEX holds_by_time ON bowei.hold USING brin (placed_at);

-- The same rule as bowei.domain.tariffs.Tariff.fee; a contract test compares them.
CREATE FUNCTION bowei.fee(tariff jsonb, stay interval) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN tariff IS NULL THEN NULL WHEN billed_s <= 0 THEN 0
                WHEN cap IS NULL THEN per_hour * ceil(billed_s / 3600)
                ELSE cap * div(billed_s, 86400) + least(cap, per_hour * ceil(mod(billed_s, 86400) / 3600)) END
    FROM (SELECT extract(epoch FROM stay)::numeric - 60 * (tariff ->> 'free_minutes')::numeric AS billed_s,
                 (tariff ->> 'per_hour')::numeric AS per_hour, (tariff ->> 'day_cap')::numeric AS cap) AS t
$$;

-- The tariff that was agreed when a car came: of the version in force then, else of what is in force.
CREATE FUNCTION bowei.tariff_at(agreement text, at timestamptz) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT nullif(t.tariff, 'null'::jsonb) FROM (
        SELECT v.document -> 'tariff' AS tariff, v.in_force_at AS since
            FROM bowei.agreement_version v WHERE v.agreement_id = agreement AND v.in_force_at <= at
      UNION ALL
        SELECT a.terms -> 'tariff', '-infinity' FROM bowei.agreement a WHERE a.agreement_id = agreement
    ) AS t ORDER BY t.since DESC LIMIT 1
$$;
