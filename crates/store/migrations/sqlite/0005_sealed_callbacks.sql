-- A callback URL may be the page of another link, which is a secret. So it is sealed from now on. The links that wait
-- for their user lose theirs: they end on the gateway's own page.
ALTER TABLE links DROP COLUMN callback_url;
ALTER TABLE links ADD COLUMN callback_url BLOB;
