//! One connection.

use std::{error::Error, fmt};

use tokio_postgres::{
    Client, Row, Statement,
    error::SqlState,
    types::{ToSql, Type},
};

use crate::{
    schema::{Schema, VERSION},
    settings::{Hints, Settings, Statements},
    verb::Verb,
};

/// A connection that is ready for every verb.
pub(crate) struct Session {
    client: Client,
    texts: Texts,
}

/// What a parameter is given as.
pub(crate) type Parameter<'a> = &'a (dyn ToSql + Sync);

/// The statements, in the order of [`Verb::ALL`].
enum Texts {
    Prepared(Vec<Statement>),
    Unnamed(Vec<String>),
}

/// The tables are not those that this release knows.
#[derive(Debug)]
struct OtherVersion {
    schema: String,
    found: Option<i32>,
}

// === impl Session ===

impl Session {
    /// Makes sure that the tables are as this release knows them, and prepares the statements.
    pub(crate) async fn new(
        client: Client,
        settings: &Settings,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let Settings { schema, statements, .. } = settings;
        check_version(&client, schema).await?;
        let hint = match settings.effective_hints() {
            Hints::Listen => {
                format!("pg_notify('{}', encode(p.key, 'hex'))::text", schema.channel())
            }
            Hints::Off => "NULL::text".to_owned(),
        };
        let text = |verb: Verb| schema.place(verb.sql()).replace("hint(p.key)", &hint);
        let texts = Verb::ALL.map(text).to_vec();
        let texts = match statements {
            Statements::Unnamed => Texts::Unnamed(texts),
            Statements::Prepared => {
                let prepare = |(verb, text): (Verb, &String)| {
                    let (client, text) = (&client, text.clone());
                    async move { client.prepare_typed(&text, verb.types()).await }
                };
                // One after the other on the wire, but none waits for the answer to another.
                let all = Verb::ALL.into_iter().zip(&texts).map(prepare);
                Texts::Prepared(futures_util::future::try_join_all(all).await?)
            }
        };
        Ok(Self { client, texts })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// # Panics
    ///
    /// If there is not one parameter for each of [`Verb::types`].
    pub(crate) async fn run(
        &self,
        verb: Verb,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let place = verb as usize;
        match &self.texts {
            Texts::Prepared(statements) => self.client.query(&statements[place], parameters).await,
            Texts::Unnamed(texts) => {
                let types = verb.types();
                assert_eq!(parameters.len(), types.len(), "one parameter for each type");
                let typed: Vec<(Parameter<'_>, Type)> =
                    parameters.iter().copied().zip(types.iter().cloned()).collect();
                self.client.query_typed(&texts[place], &typed).await
            }
        }
    }
}

async fn check_version(
    client: &Client,
    schema: &Schema,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let text = schema.place(r#"SELECT version, readable_from FROM "respond_async".version"#);
    let found = match client.query_typed_opt(&text, &[]).await {
        Ok(Some(row)) => Some((row.try_get(0)?, row.try_get(1)?)),
        Ok(None) => None,
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => None,
        Err(error) => return Err(error.into()),
    };
    match found {
        Some((version, readable_from)) if readable_from <= VERSION && VERSION <= version => Ok(()),
        other => Err(OtherVersion {
            schema: schema.name().to_owned(),
            found: other.map(|(version, _): (i32, i32)| version),
        }
        .into()),
    }
}

// === impl OtherVersion ===

impl fmt::Display for OtherVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = &self.schema;
        match self.found {
            None => write!(f, "schema {schema} has no tables: call `PostgresStore::migrate` first"),
            Some(found) if found < VERSION => write!(
                f,
                "the tables in schema {schema} are of version {found}, older than {VERSION}: \
                 call `PostgresStore::migrate` first"
            ),
            Some(found) => write!(
                f,
                "the tables in schema {schema} are of version {found}, and this release knows \
                 version {VERSION} only"
            ),
        }
    }
}

impl Error for OtherVersion {}
