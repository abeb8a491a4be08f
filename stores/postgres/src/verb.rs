//! The statements: one for each verb, with the compare-and-set in it, and two that do what many calls
//! ask for.
//!
//! All run alone, in READ COMMITTED. A statement sees what was committed when it began, and where it
//! locks or changes a row, the row as it is by then: Postgres checks the condition again. What a
//! statement could not change is told from the former, so it may be out of date; the answer is then
//! "again" (see `store.rs`), never a guess.
//!
//! `hint(p.key)` stands for what tells others of a change, see `Settings::hints`: it is not among the
//! functions of Postgres.
//!
//! `clock_timestamp()` and not `now()`: a statement may have waited for a lock since it began. In a
//! sub-select of its own, it is read once, and can be looked up in an index.

use tokio_postgres::types::Type;

/// A statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Heartbeat,
    Create,
    Get,
    Write,
    Cancel,
    Adopt,
    Forget,
    Sweep,
    CreateMany,
    WriteMany,
    PutPart,
    GetPart,
}

// === impl Verb ===

impl Verb {
    pub(crate) const ALL: [Self; 12] = [
        Self::Heartbeat,
        Self::Create,
        Self::Get,
        Self::Write,
        Self::Cancel,
        Self::Adopt,
        Self::Forget,
        Self::Sweep,
        Self::CreateMany,
        Self::WriteMany,
        Self::PutPart,
        Self::GetPart,
    ];

    /// In the default schema.
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Heartbeat => HEARTBEAT,
            Self::Create => CREATE,
            Self::Get => GET,
            Self::Write => WRITE,
            Self::Cancel => CANCEL,
            Self::Adopt => ADOPT,
            Self::Forget => FORGET,
            Self::Sweep => SWEEP,
            Self::CreateMany => CREATE_MANY,
            Self::WriteMany => WRITE_MANY,
            Self::PutPart => PUT_PART,
            Self::GetPart => GET_PART,
        }
    }

    /// The types of its parameters.
    pub(crate) fn types(self) -> &'static [Type] {
        match self {
            Self::Heartbeat => &[Type::BYTEA, Type::FLOAT8],
            Self::Create => &[Type::BYTEA, Type::BYTEA, Type::BYTEA, Type::BYTEA],
            Self::Get | Self::Cancel | Self::Forget => &[Type::BYTEA],
            Self::Write => {
                &[Type::BYTEA, Type::BYTEA, Type::INT8, Type::BYTEA, Type::FLOAT8, Type::BOOL]
            }
            Self::Adopt => &[Type::BYTEA, Type::INT8],
            Self::PutPart => &[Type::BYTEA, Type::BYTEA, Type::INT8, Type::INT4, Type::BYTEA],
            Self::GetPart => &[Type::BYTEA, Type::INT4],
            Self::Sweep => &[Type::INT8],
            Self::CreateMany => {
                &[Type::BYTEA_ARRAY, Type::BYTEA_ARRAY, Type::BYTEA_ARRAY, Type::BYTEA_ARRAY]
            }
            Self::WriteMany => &[
                Type::BYTEA_ARRAY,
                Type::BYTEA_ARRAY,
                Type::INT8_ARRAY,
                Type::BYTEA_ARRAY,
                Type::FLOAT8_ARRAY,
                Type::BOOL_ARRAY,
            ],
        }
    }
}

/// The clock is read after the wait for the row, once for all columns. `beats` tells the answer,
/// for a statement returns new values only.
const HEARTBEAT: &str = r#"
WITH beat AS (
    INSERT INTO "respond_async".owners AS o (owner, since, until, ttl, beats)
    SELECT $1, t.now, t.now + make_interval(secs => $2), make_interval(secs => $2), 0
    FROM (SELECT clock_timestamp() AS now) t
    ON CONFLICT (owner) DO UPDATE SET (since, until, ttl, beats) = (
        SELECT CASE WHEN o.until > t.now THEN o.since ELSE t.now END,
               t.now + EXCLUDED.ttl,
               EXCLUDED.ttl,
               CASE WHEN o.until > t.now THEN o.beats + 1 ELSE 0 END
        FROM (SELECT clock_timestamp() AS now) t
    )
    RETURNING o.beats = 0 AS lapsed
)
SELECT lapsed, ARRAY(
    SELECT p.key FROM "respond_async".operations p
    WHERE p.owner = $1 AND p.dies_at IS NULL AND p.cancel
) AS cancel
FROM beat
"#;

/// The owner's row is locked, so that its lease cannot be given back, nor taken for dead, before
/// the operation is there. `buried` is counted so that it is done before the insertion, whose
/// unique indexes then do not mind what it deleted.
const CREATE: &str = r#"
WITH live AS MATERIALIZED (
    SELECT o.owner FROM "respond_async".owners o
    WHERE o.owner = $2 AND o.until > clock_timestamp()
    FOR SHARE
), buried AS (
    DELETE FROM "respond_async".operations p
    WHERE (p.key = $1 OR p.idempotency = $3) AND p.dies_at <= clock_timestamp()
      AND EXISTS (SELECT FROM live)
    RETURNING 1
), made AS (
    INSERT INTO "respond_async".operations (key, owner, idempotency, head)
    SELECT $1, live.owner, $3, $4 FROM live
    WHERE (SELECT count(*) FROM buried) >= 0
    ON CONFLICT DO NOTHING
    RETURNING 1
)
SELECT EXISTS (SELECT FROM live) AS live, EXISTS (SELECT FROM made) AS made, found.*
FROM (VALUES (1)) one LEFT JOIN LATERAL (
    SELECT p.key, p.owner, p.epoch, p.cancel, p.head, p.tail,
           extract(epoch FROM p.dies_at - clock_timestamp())::float8 AS dies_in
    FROM "respond_async".operations p
    WHERE (p.key = $1 OR p.idempotency = $3)
      AND (p.dies_at IS NULL OR p.dies_at > clock_timestamp())
      AND NOT EXISTS (SELECT FROM made)
    ORDER BY p.key = $1 DESC
    LIMIT 1
) found ON true
"#;

const GET: &str = r#"
SELECT p.key, p.owner, p.epoch, p.cancel, p.head, p.tail,
       extract(epoch FROM p.dies_at - clock_timestamp())::float8 AS dies_in
FROM "respond_async".operations p
WHERE p.key = $1 AND (p.dies_at IS NULL OR p.dies_at > clock_timestamp())
"#;

/// `mine` and not applied: it was closed or adopted while this statement waited.
const WRITE: &str = r#"
WITH put AS (
    UPDATE "respond_async".operations p
    SET tail = $4,
        dies_at = clock_timestamp() + make_interval(secs => $5),
        idempotency = CASE WHEN $6 THEN NULL ELSE p.idempotency END
    WHERE p.key = $1 AND p.owner = $2 AND p.epoch = $3 AND p.dies_at IS NULL
    RETURNING CASE WHEN p.dies_at IS NOT NULL THEN hint(p.key) END
)
SELECT EXISTS (SELECT FROM put) AS applied, found.*
FROM (VALUES (1)) one LEFT JOIN LATERAL (
    SELECT p.owner = $2 AND p.epoch = $3 AND p.dies_at IS NULL AS mine,
           p.owner = $2 AND p.epoch = $3 AND p.dies_at IS NOT NULL
               AND $5 IS NOT NULL AND p.tail = $4 AS repeated
    FROM "respond_async".operations p
    WHERE p.key = $1 AND (p.dies_at IS NULL OR p.dies_at > clock_timestamp())
      AND NOT EXISTS (SELECT FROM put)
) found ON true
"#;

/// Open, not marked and not `cancel`: it was closed while this statement waited.
const CANCEL: &str = r#"
WITH marked AS (
    UPDATE "respond_async".operations p SET cancel = true
    WHERE p.key = $1 AND p.dies_at IS NULL AND NOT p.cancel
    RETURNING p.key, p.owner, p.epoch, p.cancel, p.head, p.tail, NULL::float8 AS dies_in,
              hint(p.key)
)
SELECT key, owner, epoch, cancel, head, tail, dies_in FROM marked
UNION ALL
SELECT p.key, p.owner, p.epoch, p.cancel, p.head, p.tail,
       extract(epoch FROM p.dies_at - clock_timestamp())::float8
FROM "respond_async".operations p
WHERE p.key = $1 AND (p.dies_at IS NULL OR p.dies_at > clock_timestamp())
  AND NOT EXISTS (SELECT FROM marked)
"#;

/// The rows of the dead are locked, so that none of them comes back in between: a heartbeat under
/// way is not waited for, but its owner is passed over; one that comes later waits, and hears that
/// it had lapsed. What is given again is read as it was when the statement began, so it holds
/// nothing of what is taken now.
const ADOPT: &str = r#"
WITH adopter AS MATERIALIZED (
    SELECT o.owner FROM "respond_async".owners o
    WHERE o.owner = $1 AND o.until > clock_timestamp() AND o.since + o.ttl <= clock_timestamp()
    FOR SHARE
), dead AS MATERIALIZED (
    SELECT o.owner FROM "respond_async".owners o
    WHERE o.until + o.ttl <= clock_timestamp() AND o.owner <> $1 AND $2 > 0
      AND EXISTS (SELECT FROM adopter)
      AND EXISTS (
          SELECT FROM "respond_async".operations p WHERE p.owner = o.owner AND p.dies_at IS NULL
      )
    FOR SHARE OF o SKIP LOCKED
), orphan AS MATERIALIZED (
    SELECT p.key FROM "respond_async".operations p
    WHERE p.dies_at IS NULL AND p.owner IN (SELECT dead.owner FROM dead)
    ORDER BY p.turn
    LIMIT $2
    FOR UPDATE OF p SKIP LOCKED
), taken AS (
    UPDATE "respond_async".operations p SET owner = $1, epoch = p.epoch + 1
    FROM orphan WHERE p.key = orphan.key
    RETURNING p.key, p.owner, p.epoch, p.cancel, p.head, p.tail, p.turn
)
SELECT key, owner, epoch, cancel, head, tail, NULL::float8 AS dies_in FROM (
    SELECT p.key, p.owner, p.epoch, p.cancel, p.head, p.tail, p.turn, 0 AS rank
    FROM "respond_async".operations p
    WHERE p.owner = $1 AND p.dies_at IS NULL AND p.epoch > 1
    UNION ALL
    SELECT key, owner, epoch, cancel, head, tail, turn, 1 FROM taken
) given
ORDER BY rank, turn
"#;

const FORGET: &str = r#"
DELETE FROM "respond_async".operations p WHERE p.key = $1 AND p.dies_at IS NOT NULL
"#;

/// Owners go with it that have been dead for an hour and hold nothing. The hour is for a `create`
/// that saw its owner alive, and is not committed yet.
const SWEEP: &str = r#"
WITH dead AS MATERIALIZED (
    SELECT p.key FROM "respond_async".operations p
    WHERE p.dies_at <= (SELECT clock_timestamp())
    ORDER BY p.dies_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
), freed AS (
    DELETE FROM "respond_async".operations p USING dead WHERE p.key = dead.key
    RETURNING 1
), gone AS MATERIALIZED (
    SELECT o.owner FROM "respond_async".owners o
    WHERE o.until <= clock_timestamp() - interval '1 hour'
      AND NOT EXISTS (
          SELECT FROM "respond_async".operations p WHERE p.owner = o.owner AND p.dies_at IS NULL
      )
    LIMIT $1
    FOR UPDATE SKIP LOCKED
), departed AS (
    DELETE FROM "respond_async".owners o USING gone WHERE o.owner = gone.owner
)
SELECT count(*) FROM freed
"#;

/// Tells only what was created. Whatever stands in the way of the others, `CREATE` finds out.
const CREATE_MANY: &str = r#"
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest($1, $2, $3, $4) WITH ORDINALITY AS a (key, owner, idempotency, head, n)
), live AS MATERIALIZED (
    SELECT o.owner FROM "respond_async".owners o
    WHERE o.owner IN (SELECT a.owner FROM asked a) AND o.until > clock_timestamp()
    FOR SHARE
)
INSERT INTO "respond_async".operations (key, owner, idempotency, head)
SELECT a.key, a.owner, a.idempotency, a.head FROM asked a JOIN live ON live.owner = a.owner
ORDER BY a.n
ON CONFLICT DO NOTHING
RETURNING key
"#;

/// Tells only what was applied. What became of the others, `WRITE` finds out. The keys are all
/// different.
const WRITE_MANY: &str = r#"
UPDATE "respond_async".operations p
SET tail = a.tail,
    dies_at = clock_timestamp() + make_interval(secs => a.retention),
    idempotency = CASE WHEN a.release THEN NULL ELSE p.idempotency END
FROM unnest($1, $2, $3, $4, $5, $6) AS a (key, owner, epoch, tail, retention, release)
WHERE p.key = a.key AND p.owner = a.owner AND p.epoch = a.epoch AND p.dies_at IS NULL
RETURNING p.key, CASE WHEN p.dies_at IS NOT NULL THEN hint(p.key) END
"#;

/// The operation's row is locked, so that it is neither adopted nor closed before the part is there.
/// `mine` and not applied: it was closed or adopted while this statement waited.
const PUT_PART: &str = r#"
WITH held AS MATERIALIZED (
    SELECT p.key FROM "respond_async".operations p
    WHERE p.key = $1 AND p.owner = $2 AND p.epoch = $3 AND p.dies_at IS NULL
    FOR SHARE
), put AS (
    INSERT INTO "respond_async".parts (key, number, part)
    SELECT held.key, $4, $5 FROM held
    ON CONFLICT (key, number) DO UPDATE SET part = EXCLUDED.part
    RETURNING 1
)
SELECT EXISTS (SELECT FROM put) AS applied, found.mine, false AS repeated
FROM (VALUES (1)) one LEFT JOIN LATERAL (
    SELECT p.owner = $2 AND p.epoch = $3 AND p.dies_at IS NULL AS mine
    FROM "respond_async".operations p
    WHERE p.key = $1 AND (p.dies_at IS NULL OR p.dies_at > clock_timestamp())
      AND NOT EXISTS (SELECT FROM put)
) found ON true
"#;

const GET_PART: &str = r#"
SELECT s.part
FROM "respond_async".operations p JOIN "respond_async".parts s ON s.key = p.key
WHERE p.key = $1 AND s.number = $2 AND p.dies_at > clock_timestamp()
"#;
