use std::{error::Error, fmt};

/// The Postgres schema that holds a store's tables: `respond_async` unless another is chosen.
///
/// Stores in different schemas share nothing, so each service, or each test, can have its own.
///
/// ```
/// use tower_respond_async_postgres::Schema;
///
/// let schema = Schema::new("reports_operations")?;
/// // To be applied by hand, where a service may not create tables.
/// assert!(schema.sql().contains(r#"CREATE TABLE IF NOT EXISTS "reports_operations".owners"#));
/// # Ok::<(), tower_respond_async_postgres::InvalidSchema>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Schema(String);

/// The name is not one that [`Schema::new`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSchema(());

/// The version of the tables that the statements of this release are written for.
pub(crate) const VERSION: i32 = 1;

/// As it stands in every SQL text of this crate.
const DEFAULT: &str = "respond_async";

const TABLES: &str = include_str!("../schema/1.sql");

// === impl Schema ===

impl Schema {
    /// The schema of this name: 1 to 48 of `a` to `z`, `0` to `9` and `_`, and not beginning with
    /// `pg_`, which Postgres keeps for itself.
    ///
    /// # Errors
    ///
    /// [`InvalidSchema`] for any other name.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidSchema> {
        let name = name.into();
        let fits = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        let valid =
            (1..=48).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with("pg_");
        if valid { Ok(Self(name)) } else { Err(InvalidSchema(())) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// What creates the schema and its tables, and changes nothing where they are there: what
    /// [`PostgresStore::migrate`](crate::PostgresStore::migrate) applies.
    pub fn sql(&self) -> String {
        self.place(TABLES)
    }

    /// An SQL text of this crate, on the tables of this schema. The name needs no escaping.
    pub(crate) fn place(&self, sql: &str) -> String {
        sql.replace(&format!("\"{DEFAULT}\""), &format!("\"{}\"", self.0))
    }

    /// Where changes in this schema are told: at most 63 bytes, which is the most Postgres takes, and
    /// in need of no escaping inside of quotes.
    pub(crate) fn channel(&self) -> String {
        format!("{}.operations", self.0)
    }
}

impl Default for Schema {
    fn default() -> Self {
        Self(DEFAULT.to_owned())
    }
}

// === impl InvalidSchema ===

impl fmt::Display for InvalidSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a schema's name is 1 to 48 of a to z, 0 to 9 and _, and does not begin with pg_",
        )
    }
}

impl Error for InvalidSchema {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_need_no_escaping_are_taken() {
        let long = "a".repeat(49);
        for refused in ["", "Reports", "re-ports", "a\"b", "a.b", "ä", "pg_own", long.as_str()] {
            assert!(Schema::new(refused).is_err(), "{refused}");
        }
        for taken in ["a", "0", "select", "_", &long[1..]] {
            assert_eq!(Schema::new(taken).map(|schema| schema.0), Ok(taken.to_owned()));
        }
    }

    #[test]
    fn every_table_is_in_the_schema_that_was_chosen() {
        let sql = Schema::new("elsewhere").expect("valid").sql();
        assert!(!sql.contains(&format!("\"{DEFAULT}\"")), "{sql}");
        assert_eq!(Schema::default().sql(), TABLES);
    }
}
