-- A lot may ask which of its cars of one day arrived here.

CREATE INDEX passages_by_day ON bowei.passage (lot_id, passed_at);
