//! From a context and a gateway's name to its row. Owns the one place where a tenant's border is
//! turned into SQL for objects: whatever lies beyond it is not there.

use super::{DbError, Origin};
use crate::tenancy::TenantContext;
use riser_model::{GatewayId, TenantId};
use rusqlite::{Connection, params};

/// A look-up by name, for somebody.
#[derive(Debug, Clone, PartialEq)]
pub enum Sought<T> {
    /// There it is.
    Found(T),
    /// There is none for whoever asks.
    Missing,
    /// Whoever asks sees several tenants, and more than one has a gateway of this name.
    Ambiguous,
}

impl<T> Sought<T> {
    /// Goes on with what was found.
    ///
    /// # Errors
    /// The step's own.
    pub fn and_then<U>(
        self,
        step: impl FnOnce(T) -> Result<Option<U>, DbError>,
    ) -> Result<Sought<U>, DbError> {
        Ok(match self {
            Self::Found(found) => match step(found)? {
                Some(next) => Sought::Found(next),
                None => Sought::Missing,
            },
            Self::Missing => Sought::Missing,
            Self::Ambiguous => Sought::Ambiguous,
        })
    }
}

/// A gateway's row with its full name and whether it has a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GatewayRow {
    pub(super) row: i64,
    pub(super) origin: Origin,
    pub(super) connected: bool,
}

/// The tenant filter of a list: NULL matches every tenant.
pub(super) fn border(who: &TenantContext) -> Option<&str> {
    who.tenant().map(TenantId::as_str)
}

// Two texts, because SQLite finds no index for "this tenant, or all of them".
const OWN_GATEWAY: &str =
    "SELECT row, tenant, id, connected FROM gateway WHERE tenant = ?1 AND id = ?2 LIMIT 2";
const ANY_GATEWAY: &str =
    "SELECT row, tenant, id, connected FROM gateway WHERE ?1 IS NULL AND id = ?2 LIMIT 2";

/// The gateway of this name that whoever asks can see.
pub(super) fn gateway(
    c: &Connection,
    who: &TenantContext,
    id: &GatewayId,
) -> Result<Sought<GatewayRow>, DbError> {
    let mut query = c.prepare_cached(match who.tenant() {
        Some(_) => OWN_GATEWAY,
        None => ANY_GATEWAY,
    })?;
    let mut found = query
        .query_map(params![border(who), id.as_str()], |row| {
            let (tenant, id): (String, String) = (row.get(1)?, row.get(2)?);
            Ok((row.get::<_, i64>(0)?, tenant, id, row.get::<_, bool>(3)?))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    let Some((row, tenant, id, connected)) = found.pop() else {
        return Ok(Sought::Missing);
    };
    if !found.is_empty() {
        return Ok(Sought::Ambiguous);
    }
    Ok(Sought::Found(GatewayRow {
        row,
        origin: Origin::stored(&tenant, &id)?,
        connected,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_of_a_tenant_is_found_by_an_index() {
        let c = Connection::open_in_memory().unwrap();
        c.execute_batch(include_str!("schema.sql")).unwrap();
        let plan: String = c
            .query_row(
                &format!("EXPLAIN QUERY PLAN {OWN_GATEWAY}"),
                ["acme", "gw"],
                |row| row.get(3),
            )
            .unwrap();
        assert!(plan.contains("(tenant=? AND id=?)"), "{plan}");
    }
}
