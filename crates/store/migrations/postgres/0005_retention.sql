-- When a session was last used, noted at intervals; null before.
ALTER TABLE sessions ADD COLUMN used_at BIGINT;

-- Sessions that end, and the sessions and calls of a user who is deleted.
CREATE INDEX sessions_by_age ON sessions (created_at);
CREATE INDEX sessions_by_use ON sessions (coalesce(used_at, updated_at));
CREATE INDEX sessions_of_user ON sessions (user_id, id);
CREATE INDEX calls_of_user ON calls (user_id, id);
