-- How many of the latest refreshes in a row the provider refused in words that the gateway does not know; such an
-- account expires after a few. Back to nothing with any other outcome.
ALTER TABLE connected_accounts ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;
