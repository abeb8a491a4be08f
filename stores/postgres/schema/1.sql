-- The tables of tower-respond-async-postgres, version 1. Applying this twice changes nothing.
-- To have them in another schema, replace "respond_async" throughout; to have them all or none,
-- apply this in one transaction (psql --single-transaction).

CREATE SCHEMA IF NOT EXISTS "respond_async";

-- Which statements of which releases fit these tables: those that know a version from `readable_from`
-- on. One row.
CREATE TABLE IF NOT EXISTS "respond_async".version (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version integer NOT NULL,
    readable_from integer NOT NULL
);

-- Processes. A lease is live before `until`; `since` is when it began, and `beats` how often it was
-- renewed since then.
CREATE TABLE IF NOT EXISTS "respond_async".owners (
    owner bytea PRIMARY KEY,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    ttl interval NOT NULL,
    beats bigint NOT NULL
);

-- Operations, open while `dies_at` is null. `turn` is the order of creation.
CREATE TABLE IF NOT EXISTS "respond_async".operations (
    key bytea PRIMARY KEY,
    turn bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    owner bytea NOT NULL,
    epoch bigint NOT NULL DEFAULT 1,
    cancel boolean NOT NULL DEFAULT false,
    dies_at timestamptz,
    idempotency bytea,
    head bytea NOT NULL,
    tail bytea NOT NULL DEFAULT ''
);

-- Parts of what operations are closed with, where that is large. They go with their operation.
CREATE TABLE IF NOT EXISTS "respond_async".parts (
    key bytea NOT NULL REFERENCES "respond_async".operations (key) ON DELETE CASCADE,
    number integer NOT NULL,
    part bytea NOT NULL,
    PRIMARY KEY (key, number)
);
-- Results are often compressed already.
ALTER TABLE "respond_async".parts ALTER COLUMN part SET STORAGE EXTERNAL;

-- At most one operation has an idempotency key.
CREATE UNIQUE INDEX IF NOT EXISTS operations_idempotency
    ON "respond_async".operations (idempotency) WHERE idempotency IS NOT NULL;
-- What an owner holds.
CREATE INDEX IF NOT EXISTS operations_open
    ON "respond_async".operations (owner, turn) WHERE dies_at IS NULL;
-- What an owner took over, and is given again until it has closed it.
CREATE INDEX IF NOT EXISTS operations_adopted
    ON "respond_async".operations (owner, turn) WHERE dies_at IS NULL AND epoch > 1;
-- What an owner is to cancel: read by every heartbeat, so it must not grow with what is open.
CREATE INDEX IF NOT EXISTS operations_canceled
    ON "respond_async".operations (owner) WHERE dies_at IS NULL AND cancel;
-- What died first.
CREATE INDEX IF NOT EXISTS operations_dying
    ON "respond_async".operations (dies_at) WHERE dies_at IS NOT NULL;

INSERT INTO "respond_async".version (version, readable_from) VALUES (1, 1) ON CONFLICT DO NOTHING;
