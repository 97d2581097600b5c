-- The webhook subscriptions: where events are sent.
CREATE TABLE webhook_subscriptions (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    url             TEXT NOT NULL,
    enabled_events  TEXT NOT NULL,    -- a JSON list of types, as on the wire
    secret          BLOB NOT NULL,    -- sealed
    previous_secret BLOB,             -- sealed
    previous_until  INTEGER,          -- until when the previous secret signs too
    key_id          TEXT NOT NULL,    -- the key that sealed them
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT;

CREATE INDEX webhook_subscriptions_of_key ON webhook_subscriptions (key_id, seq);

-- A delivery of each event to each subscription that enables its type. It is inserted in the transaction that numbers
-- the event, and is deleted with the event or the subscription.
CREATE TABLE webhook_deliveries (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription_id TEXT NOT NULL REFERENCES webhook_subscriptions (id) ON DELETE CASCADE,
    event           INTEGER NOT NULL REFERENCES events (cursor) ON DELETE CASCADE,
    status          TEXT NOT NULL,    -- pending, delivered or dead
    attempts        INTEGER NOT NULL, -- that have begun
    due_at          INTEGER NOT NULL, -- when the next attempt may begin; while one runs, the end of its lease
    response_status INTEGER,          -- of the last attempt that ended
    problem         TEXT,             -- why the last attempt failed
    created_at      INTEGER NOT NULL,
    ended_at        INTEGER,
    UNIQUE (subscription_id, event)
) STRICT;

CREATE INDEX webhook_deliveries_of_event ON webhook_deliveries (event);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (subscription_id, due_at) WHERE status = 'pending';
CREATE INDEX webhook_deliveries_delivered ON webhook_deliveries (ended_at) WHERE status = 'delivered';
