-- The administrative changes, in order. Rows are added only.
CREATE TABLE audit_log (
    seq    BIGINT PRIMARY KEY, -- from 1, without a gap
    at     BIGINT NOT NULL,
    actor  TEXT NOT NULL, -- the id of an API key, or `owner`
    action TEXT NOT NULL, -- such as `api_key.created`
    target TEXT NOT NULL, -- the id of what was changed
    hash   TEXT NOT NULL  -- SHA-256 over the hash of the row before and this row, in hexadecimal
);
