-- A SHARED account may be used by other users than its own. Which ones says its ACL, whose lists are JSON.
ALTER TABLE connected_accounts ADD COLUMN account_type TEXT NOT NULL DEFAULT 'PRIVATE'; -- or SHARED; never changes
ALTER TABLE connected_accounts ADD COLUMN allow_all_users INTEGER NOT NULL DEFAULT 0;
ALTER TABLE connected_accounts ADD COLUMN allowed_user_ids TEXT NOT NULL DEFAULT '[]';
ALTER TABLE connected_accounts ADD COLUMN not_allowed_user_ids TEXT NOT NULL DEFAULT '[]';

-- The SHARED accounts are few, so a list of them does not walk all accounts.
CREATE INDEX connected_accounts_shared ON connected_accounts (created_at, seq) WHERE account_type = 'SHARED';

-- The counts distinguish the types, because a list has one of them by default.
DROP TRIGGER count_inserted_account;
DROP TRIGGER count_deleted_account;
DROP TRIGGER count_changed_account;
ALTER TABLE account_counts RENAME TO account_counts_of_all_types;

CREATE TABLE account_counts (
    auth_config_id TEXT NOT NULL,
    toolkit        TEXT NOT NULL,
    status         TEXT NOT NULL,
    account_type   TEXT NOT NULL,
    accounts       INTEGER NOT NULL,
    PRIMARY KEY (auth_config_id, status, account_type)
) STRICT, WITHOUT ROWID;

INSERT INTO account_counts SELECT auth_config_id, toolkit, status, 'PRIVATE', accounts FROM account_counts_of_all_types;
DROP TABLE account_counts_of_all_types;

CREATE TRIGGER count_inserted_account AFTER INSERT ON connected_accounts BEGIN
    INSERT INTO account_counts VALUES (new.auth_config_id, new.toolkit, new.status, new.account_type, 1)
    ON CONFLICT DO UPDATE SET accounts = accounts + 1;
END;

CREATE TRIGGER count_deleted_account AFTER DELETE ON connected_accounts BEGIN
    UPDATE account_counts SET accounts = accounts - 1
    WHERE auth_config_id = old.auth_config_id AND status = old.status AND account_type = old.account_type;
END;

CREATE TRIGGER count_changed_account AFTER UPDATE ON connected_accounts
WHEN old.status <> new.status OR old.auth_config_id <> new.auth_config_id BEGIN
    UPDATE account_counts SET accounts = accounts - 1
    WHERE auth_config_id = old.auth_config_id AND status = old.status AND account_type = old.account_type;
    INSERT INTO account_counts VALUES (new.auth_config_id, new.toolkit, new.status, new.account_type, 1)
    ON CONFLICT DO UPDATE SET accounts = accounts + 1;
END;
