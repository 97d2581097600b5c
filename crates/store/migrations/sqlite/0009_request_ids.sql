-- The id of the request that made a call. Calls of older versions have none.
ALTER TABLE calls ADD COLUMN request_id TEXT;
