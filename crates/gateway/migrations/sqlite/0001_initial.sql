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

CREATE TABLE connected_accounts (
    id            TEXT PRIMARY KEY,
    user_id       TEXT NOT NULL,
    toolkit       TEXT NOT NULL,
    alias         TEXT,
    auth_scheme   TEXT NOT NULL,
    status        TEXT NOT NULL,
    status_reason TEXT,
    is_disabled   INTEGER NOT NULL DEFAULT 0,
    credential    BLOB NOT NULL, -- the `val` of the contract, sealed
    key_id        TEXT NOT NULL, -- the key that sealed it
    expires_at    INTEGER,       -- when the access token does, if that is known
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;

-- The look-up of every call: a user's accounts of a toolkit, newest first.
CREATE INDEX connected_accounts_of_user ON connected_accounts (user_id, toolkit, created_at);
CREATE INDEX connected_accounts_by_age ON connected_accounts (created_at, id);

CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    name         TEXT,
    hash         BLOB NOT NULL UNIQUE, -- SHA-256 of the key
    permissions  TEXT,                 -- area to level, as JSON; all when null
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at   INTEGER
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
