//! `create`, alone and in company.

use std::collections::HashSet;

use tower_respond_async::store::{Creation, Fence, Key, NewOperation, StoreError};

use crate::{
    database::{Database, Said},
    row::{get, key, only, record},
    session::Parameter,
    verb::Verb,
};

pub(crate) async fn one(
    database: &Database,
    operation: &NewOperation,
) -> Result<Creation, StoreError> {
    let NewOperation { key: asked, owner, idempotency, head } = operation;
    let claim = idempotency.as_ref().map(|claim| &claim[..]);
    let parameters: [Parameter<'_>; 4] =
        [&&asked.as_bytes()[..], &&owner.as_bytes()[..], &claim, &&head[..]];
    database
        .ask(Verb::Create, &parameters, |rows| {
            let row = only(&rows)?;
            if !get::<bool>(row, "live")? {
                return Ok(Said::Answer(Creation::OwnerLapsed));
            }
            if get(row, "made")? {
                return Ok(Said::Answer(Creation::Created));
            }
            if get::<Option<&[u8]>>(row, "key")?.is_none() {
                return Ok(Said::Again);
            }
            let found = record(row, *asked)?;
            let repeated =
                found.key == *asked && found.fence == Fence::first(*owner) && !found.is_closed();
            let answer = if repeated { Creation::Created } else { Creation::Exists(found) };
            Ok(Said::Answer(answer))
        })
        .await
}

/// Answers what was created. The others are to be asked for one by one.
pub(crate) async fn all(
    database: &Database,
    operations: &[NewOperation],
) -> Result<Vec<Option<Creation>>, StoreError> {
    if let [operation] = operations {
        return Ok(vec![Some(one(database, operation).await?)]);
    }
    let keys: Vec<_> = operations.iter().map(|one| &one.key.as_bytes()[..]).collect();
    let owners: Vec<_> = operations.iter().map(|one| &one.owner.as_bytes()[..]).collect();
    let claims: Vec<_> =
        operations.iter().map(|one| one.idempotency.as_ref().map(|claim| &claim[..])).collect();
    let heads: Vec<_> = operations.iter().map(|one| &one.head[..]).collect();
    let mut made: HashSet<Key> = database
        .ask(Verb::CreateMany, &[&keys, &owners, &claims, &heads], |rows| {
            Ok(Said::Answer(rows.iter().filter_map(key).collect()))
        })
        .await?;
    // Of several with one key, the first was created.
    Ok(operations.iter().map(|one| made.remove(&one.key).then_some(Creation::Created)).collect())
}
