-- Times are milliseconds since the Unix epoch. Secrets are sealed by the vault before they get here.

-- `key_check` shows whether the gateway has the key that the store was written with.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE sessions (
    id         TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL,
    config     TEXT NOT NULL, -- the SessionConfig of the wire, as JSON
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE auth_configs (
    seq         INTEGER PRIMARY KEY, -- the order of those made in one millisecond
    id          TEXT NOT NULL UNIQUE,
    toolkit     TEXT NOT NULL,
    name        TEXT NOT NULL,
    type        TEXT NOT NULL, -- `custom`, or `default` for the one that imports make
    auth_scheme TEXT NOT NULL,
    status      TEXT NOT NULL, -- ENABLED or DISABLED
    credentials BLOB NOT NULL, -- a JSON object, sealed
    key_id      TEXT NOT NULL, -- the key that sealed it
    has_client  INTEGER NOT NULL, -- whether an OAuth client is among the credentials, where the scheme takes it from there
    settings    TEXT NOT NULL, -- tool access and the like, kept and echoed, as JSON
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX auth_configs_by_age ON auth_configs (created_at, seq);
CREATE INDEX auth_configs_of_toolkit ON auth_configs (toolkit, created_at, seq);
-- One default for a toolkit and scheme, however many imports there are at once.
CREATE UNIQUE INDEX auth_configs_default ON auth_configs (toolkit, auth_scheme) WHERE type = 'default';

CREATE TABLE connected_accounts (
    seq            INTEGER PRIMARY KEY, -- the order of those made in one millisecond
    id             TEXT NOT NULL UNIQUE,
    user_id        TEXT NOT NULL,
    toolkit        TEXT NOT NULL,
    auth_config_id TEXT NOT NULL REFERENCES auth_configs (id) ON DELETE CASCADE,
    alias          TEXT,
    word_id        TEXT NOT NULL,
    auth_scheme    TEXT NOT NULL,
    own_status     TEXT NOT NULL,
    status_reason  TEXT,
    is_disabled    INTEGER NOT NULL DEFAULT 0,
    -- What the account shows: a disabled one is INACTIVE, and has its own status again afterwards.
    status         TEXT NOT NULL GENERATED ALWAYS AS
                   (CASE WHEN is_disabled AND own_status = 'ACTIVE' THEN 'INACTIVE' ELSE own_status END) STORED,
    credential     BLOB NOT NULL, -- the `val` of the contract, sealed
    key_id         TEXT NOT NULL, -- the key that sealed it
    expires_at     INTEGER,       -- when the access token does, if that is known
    -- Of the credential:
    credential_version INTEGER NOT NULL DEFAULT 0, -- raised by one with each that takes its place
    credential_at  INTEGER NOT NULL, -- when it was given or renewed
    refreshed_at   INTEGER,       -- the same, if it was renewed
    renewable      INTEGER NOT NULL, -- whether it has what renews it, such as a refresh token
    -- Of the refresh that would take its place, all back to nothing once one has:
    unanswered     INTEGER NOT NULL DEFAULT 0, -- how often its refresh token was sent without a known outcome
    failures       INTEGER NOT NULL DEFAULT 0, -- how many refreshes have failed in a row
    retry_at       INTEGER,       -- before which no other is tried
    problem        TEXT,          -- why the latest failed
    lease_holder   TEXT,          -- who refreshes right now
    lease_until    INTEGER,       -- when anyone else may
    connected_at   INTEGER,       -- when it was last given a credential by an import or a link
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT;

-- The look-up of every call: a user's accounts of a toolkit.
CREATE INDEX connected_accounts_of_user ON connected_accounts (user_id, toolkit, created_at, seq);
CREATE INDEX connected_accounts_by_age ON connected_accounts (created_at, seq);
CREATE INDEX connected_accounts_by_change ON connected_accounts (updated_at, seq);
CREATE INDEX connected_accounts_of_config ON connected_accounts (auth_config_id, created_at, seq);
CREATE INDEX connected_accounts_of_toolkit ON connected_accounts (toolkit, created_at, seq);
-- Those that a refresh keeps alive, longest idle first.
CREATE INDEX connected_accounts_idle ON connected_accounts (credential_at)
    WHERE renewable AND own_status = 'ACTIVE';
CREATE INDEX connected_accounts_of_status ON connected_accounts (status, created_at, seq);
CREATE UNIQUE INDEX connected_accounts_alias ON connected_accounts (user_id, toolkit, alias);
CREATE UNIQUE INDEX connected_accounts_word_id ON connected_accounts (user_id, word_id);

-- How many accounts there are, kept by triggers, so that a page of a list does not count them all.
CREATE TABLE account_counts (
    auth_config_id TEXT NOT NULL,
    toolkit        TEXT NOT NULL,
    status         TEXT NOT NULL,
    accounts       INTEGER NOT NULL,
    PRIMARY KEY (auth_config_id, status)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER count_inserted_account AFTER INSERT ON connected_accounts BEGIN
    INSERT INTO account_counts VALUES (new.auth_config_id, new.toolkit, new.status, 1)
    ON CONFLICT DO UPDATE SET accounts = accounts + 1;
END;

CREATE TRIGGER count_deleted_account AFTER DELETE ON connected_accounts BEGIN
    UPDATE account_counts SET accounts = accounts - 1
    WHERE auth_config_id = old.auth_config_id AND status = old.status;
END;

CREATE TRIGGER count_changed_account AFTER UPDATE ON connected_accounts
WHEN old.status <> new.status OR old.auth_config_id <> new.auth_config_id BEGIN
    UPDATE account_counts SET accounts = accounts - 1
    WHERE auth_config_id = old.auth_config_id AND status = old.status;
    INSERT INTO account_counts VALUES (new.auth_config_id, new.toolkit, new.status, 1)
    ON CONFLICT DO UPDATE SET accounts = accounts + 1;
END;

-- Links that were given out; the page behind them finishes the account.
CREATE TABLE links (
    token_hash   BLOB PRIMARY KEY, -- SHA-256 of the token
    account_id   TEXT NOT NULL REFERENCES connected_accounts (id) ON DELETE CASCADE,
    callback_url TEXT,
    scopes       TEXT NOT NULL, -- asked for beside those of the auth config, as a JSON list
    browser_hash BLOB,          -- SHA-256 of the cookie of the browser that began
    state_hash   BLOB UNIQUE,   -- SHA-256 of the OAuth state that is out, and
    verifier     BLOB,          -- the PKCE verifier that belongs to it, sealed, and
    given        BLOB,          -- what the account is to have when it comes back, sealed
    expires_at   INTEGER NOT NULL,
    finished_at  INTEGER        -- when its one use was made, whatever came of it
) STRICT;

CREATE INDEX links_of_account ON links (account_id);
CREATE INDEX links_by_expiry ON links (expires_at);

CREATE TABLE api_keys (
    id                TEXT PRIMARY KEY,
    name              TEXT,
    hash              BLOB NOT NULL UNIQUE, -- SHA-256 of the key
    permissions       TEXT,                 -- area to level, as JSON; all when null
    allowed_addresses TEXT,                 -- networks it may be used from, as JSON; all when null
    expires_at        INTEGER,
    created_at        INTEGER NOT NULL,
    last_used_at      INTEGER,
    revoked_at        INTEGER
) STRICT;

CREATE TABLE calls (
    id          INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    user_id     TEXT,
    session_id  TEXT,
    toolkit     TEXT,
    account_id  TEXT,
    method      TEXT NOT NULL,
    host        TEXT,
    path        TEXT,
    outcome     TEXT NOT NULL, -- `answered`, or the slug of the error
    status      INTEGER,       -- the upstream's
    bytes       INTEGER NOT NULL,
    duration_us INTEGER NOT NULL
) STRICT;
