-- The account of calls that name none. There is at most one; a deletion of the account leaves none.
ALTER TABLE connected_accounts ADD COLUMN is_default INTEGER NOT NULL DEFAULT 0;

CREATE INDEX connected_accounts_default ON connected_accounts (is_default) WHERE is_default;
