-- Sources of a third kind: those without a key of ours, described in the feeds file.

ALTER TABLE bowei.source DROP CONSTRAINT source_kind_check;
ALTER TABLE bowei.source ADD CONSTRAINT source_kind_check CHECK (kind IN ('native', 'citybrain', 'feed'));
