-- Every sealed field has the id of its key in its row, and an index finds the rows of a key. Without an id, an earlier
-- version wrote the row.
ALTER TABLE meta ADD COLUMN key_id TEXT;
ALTER TABLE links ADD COLUMN key_id TEXT;

CREATE INDEX auth_configs_of_key ON auth_configs (key_id);
CREATE INDEX connected_accounts_of_key ON connected_accounts (key_id);
CREATE INDEX links_of_key ON links (key_id);
