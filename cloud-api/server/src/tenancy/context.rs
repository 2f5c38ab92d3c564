//! The proof of who asks and for which tenant. Owns the one rule that decides which tenants a
//! person may look into; it does not decide what a role may do (`riser_model::role` does).

use riser_model::{Author, AuthorKind, Permission, Role, TenantId, Timestamp};
use std::net::IpAddr;
use std::sync::Arc;
use uuid::Uuid;

/// A person whose access token was found genuine and in time. Made by
/// [`super::Authority::verify`] only.
#[derive(Debug, Clone)]
pub struct Identity {
    pub(super) user: Uuid,
    pub(super) email: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) role: Role,
    pub(super) tenant: Option<TenantId>,
    pub(super) expires_at: Timestamp,
}

/// The person asked for a tenant that, for them, does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such tenant")]
pub struct OtherTenant;

impl Identity {
    /// When the token behind this identity ends.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// The person's role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Enters a tenant: the wanted one, else the person's own. Whoever may cross the border
    /// between tenants and names none sees all of them.
    ///
    /// # Errors
    /// [`OtherTenant`] when the wanted tenant is not theirs, or when they have none at all.
    pub fn enter(self, wanted: Option<TenantId>) -> Result<TenantContext, OtherTenant> {
        let tenant = if self.role.may(Permission::AllTenants) {
            wanted
        } else {
            let own = self.tenant.clone().ok_or(OtherTenant)?;
            if wanted.is_some_and(|w| w != own) {
                return Err(OtherTenant);
            }
            Some(own)
        };
        Ok(TenantContext {
            who: Arc::new(self),
            tenant,
            address: None,
        })
    }
}

/// Proof of who asks and for which tenant. Every query takes one; it cannot be built outside
/// `tenancy`, so a query without a verified token does not compile.
#[derive(Debug, Clone)]
pub struct TenantContext {
    who: Arc<Identity>,
    tenant: Option<TenantId>,
    address: Option<IpAddr>,
}

impl TenantContext {
    /// The same, and where the person is.
    #[must_use]
    pub fn coming_from(self, address: Option<IpAddr>) -> Self {
        Self { address, ..self }
    }

    /// The network address the person asks from, where known.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The tenant every row must belong to; `None` only for somebody who may see all of them
    /// and named none.
    #[must_use]
    pub fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }

    /// Whether rows of this tenant exist for whoever asks.
    #[must_use]
    pub fn covers(&self, tenant: &TenantId) -> bool {
        self.tenant.as_ref().is_none_or(|own| own == tenant)
    }

    /// The person's id.
    #[must_use]
    pub fn user(&self) -> Uuid {
        self.who.user
    }

    /// The person's login name.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.who.email
    }

    /// The name people read.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.who.name
    }

    /// The person's role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.who.role
    }

    /// The tenant the person belongs to, whatever tenant they look into.
    #[must_use]
    pub fn home(&self) -> Option<&TenantId> {
        self.who.tenant.as_ref()
    }

    /// When the token behind this context ends.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.who.expires_at
    }

    /// The person as author of a command or an acknowledgement.
    #[must_use]
    pub fn author(&self) -> Author {
        Author {
            kind: AuthorKind::Cloud,
            name: self.who.email.as_ref().to_owned(),
        }
    }
}

/// Somebody with a shell on the server itself, who may create tenants and people. The command
/// line makes one; the HTTP face has no way to.
#[derive(Debug, Clone, Copy)]
pub struct Console(());

impl Console {
    /// For the command line only: whoever can start the program can read its database anyway.
    #[must_use]
    pub fn on_this_machine() -> Self {
        Self(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(role: Role, tenant: Option<&str>) -> Identity {
        Identity {
            user: Uuid::nil(),
            email: "a@example.org".into(),
            name: "A".into(),
            role,
            tenant: tenant.map(|t| TenantId::new(t).unwrap()),
            expires_at: Timestamp(0),
        }
    }

    fn key(text: &str) -> TenantId {
        TenantId::new(text).unwrap()
    }

    #[test]
    fn only_a_system_admin_leaves_their_tenant() {
        for role in Role::ALL {
            let crosses = identity(role, Some("a")).enter(Some(key("b"))).is_ok();
            assert_eq!(crosses, role == Role::SystemAdmin, "{role:?}");
            let own = identity(role, Some("a")).enter(Some(key("a"))).unwrap();
            assert!(own.covers(&key("a")) && !own.covers(&key("b")));
        }
    }

    #[test]
    fn a_person_without_tenant_sees_nothing_unless_they_see_all() {
        assert!(identity(Role::TenantAdmin, None).enter(None).is_err());
        let all = identity(Role::SystemAdmin, None).enter(None).unwrap();
        assert!(all.covers(&key("a")) && all.tenant().is_none());
    }
}
