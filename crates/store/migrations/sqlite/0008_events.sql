-- What happened to connected accounts. Triggers write an event in the transaction of the change, whatever made it.
CREATE TABLE events (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    cursor         INTEGER UNIQUE, -- the place in the list that callers follow; null until the event is numbered
    id             TEXT NOT NULL UNIQUE,
    type           TEXT NOT NULL,  -- without the `composio.` of the wire
    at             INTEGER NOT NULL,
    -- The account as the change left it.
    account_id     TEXT NOT NULL,
    user_id        TEXT NOT NULL,
    toolkit        TEXT NOT NULL,
    auth_config_id TEXT NOT NULL,
    auth_scheme    TEXT NOT NULL,
    alias          TEXT,
    word_id        TEXT NOT NULL,
    status         TEXT NOT NULL,
    reason         TEXT,           -- the reason for the status, or why a refresh failed
    is_disabled    INTEGER NOT NULL,
    account_type   TEXT NOT NULL,
    expires_at     INTEGER,        -- when the access token does, if that is known
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT;

CREATE INDEX events_to_number ON events (seq) WHERE cursor IS NULL;
CREATE INDEX events_of_user ON events (user_id);

-- The last cursor that was given to an event, and the last one whose event was deleted for its age or by the limit.
-- The row is made with the first cursor.
CREATE TABLE event_cursors (
    name      TEXT PRIMARY KEY,
    last      INTEGER NOT NULL,
    forgotten INTEGER NOT NULL
) STRICT;

-- The version of the credential whose coming expiry has an event.
ALTER TABLE connected_accounts ADD COLUMN announced_version INTEGER;

-- The accounts whose expiry comes without a refresh.
CREATE INDEX connected_accounts_expiring ON connected_accounts (expires_at)
    WHERE own_status = 'ACTIVE' AND NOT renewable;

CREATE TRIGGER event_of_inserted_account AFTER INSERT ON connected_accounts WHEN new.own_status = 'ACTIVE' BEGIN
    INSERT INTO events (id, type, at, account_id, user_id, toolkit, auth_config_id, auth_scheme, alias, word_id,
        status, reason, is_disabled, account_type, expires_at, created_at, updated_at)
    VALUES ('msg_' || lower(hex(randomblob(4))) || '-' || lower(hex(randomblob(2))) || '-4'
        || substr(lower(hex(randomblob(2))), 2) || '-a' || substr(lower(hex(randomblob(2))), 2) || '-'
        || lower(hex(randomblob(6))), 'connected_account.connected',
        CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER), new.id, new.user_id, new.toolkit, new.auth_config_id,
        new.auth_scheme, new.alias, new.word_id, new.status, new.status_reason, new.is_disabled, new.account_type,
        new.expires_at, new.created_at, new.updated_at);
END;

CREATE TRIGGER event_of_changed_account AFTER UPDATE ON connected_accounts BEGIN
    INSERT INTO events (id, type, at, account_id, user_id, toolkit, auth_config_id, auth_scheme, alias, word_id,
        status, reason, is_disabled, account_type, expires_at, created_at, updated_at)
    SELECT 'msg_' || lower(hex(randomblob(4))) || '-' || lower(hex(randomblob(2))) || '-4'
        || substr(lower(hex(randomblob(2))), 2) || '-a' || substr(lower(hex(randomblob(2))), 2) || '-'
        || lower(hex(randomblob(6))), 'connected_account.' || change,
        CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER), new.id, new.user_id, new.toolkit, new.auth_config_id,
        new.auth_scheme, new.alias, new.word_id, new.status,
        CASE change WHEN 'refresh_failed' THEN new.problem ELSE new.status_reason END, new.is_disabled,
        new.account_type, new.expires_at, new.created_at, new.updated_at
    FROM (SELECT CASE
        WHEN new.own_status <> old.own_status AND new.own_status IN ('FAILED', 'EXPIRED', 'REVOKED')
            THEN lower(new.own_status)
        WHEN new.connected_at IS NOT old.connected_at THEN 'connected'
        WHEN new.credential_version > old.credential_version AND new.refreshed_at IS NOT NULL THEN 'refreshed'
        WHEN new.failures > old.failures THEN 'refresh_failed'
        WHEN new.own_status <> old.own_status AND new.own_status = 'ACTIVE' THEN 'connected'
        WHEN new.is_disabled AND NOT old.is_disabled THEN 'disabled'
        WHEN old.is_disabled AND NOT new.is_disabled THEN 'enabled'
        WHEN new.announced_version IS NOT old.announced_version THEN 'expiring_soon'
    END AS change) WHERE change IS NOT NULL;
END;

CREATE TRIGGER event_of_deleted_account AFTER DELETE ON connected_accounts BEGIN
    INSERT INTO events (id, type, at, account_id, user_id, toolkit, auth_config_id, auth_scheme, alias, word_id,
        status, reason, is_disabled, account_type, expires_at, created_at, updated_at)
    VALUES ('msg_' || lower(hex(randomblob(4))) || '-' || lower(hex(randomblob(2))) || '-4'
        || substr(lower(hex(randomblob(2))), 2) || '-a' || substr(lower(hex(randomblob(2))), 2) || '-'
        || lower(hex(randomblob(6))), 'connected_account.deleted',
        CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER), old.id, old.user_id, old.toolkit, old.auth_config_id,
        old.auth_scheme, old.alias, old.word_id, old.status, old.status_reason, old.is_disabled, old.account_type,
        old.expires_at, old.created_at, old.updated_at);
END;
