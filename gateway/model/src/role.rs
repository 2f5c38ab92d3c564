//! Who may do what: one table for the gateway and the cloud. Everything not in it is denied.

use serde::{Deserialize, Serialize};

/// Role of a person within a tenant or on a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs the platform; sees every tenant.
    SystemAdmin,
    /// Runs one tenant.
    TenantAdmin,
    /// Runs the buildings of a tenant.
    Manager,
    /// Watches and operates; the guard.
    Operator,
    /// Works on devices.
    Technician,
    /// Sets a gateway up.
    Installer,
    /// Looks only.
    Viewer,
    /// Delivers services from outside.
    Provider,
}

/// One thing a route may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// See points, values, trends, devices, alarms.
    Read,
    /// Acknowledge alarms.
    Acknowledge,
    /// Write points.
    Write,
    /// See operating figures (`/metrics`).
    Metrics,
    /// See and change the configuration of a gateway.
    Configure,
    /// See and change users, certificates; see the audit log.
    Administer,
    /// Cross the border between tenants.
    AllTenants,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 8] = [
        Self::SystemAdmin,
        Self::TenantAdmin,
        Self::Manager,
        Self::Operator,
        Self::Technician,
        Self::Installer,
        Self::Viewer,
        Self::Provider,
    ];

    /// The table.
    #[must_use]
    pub fn may(self, permission: Permission) -> bool {
        use Permission as P;
        match self {
            Self::SystemAdmin => true,
            Self::TenantAdmin => permission != P::AllTenants,
            Self::Manager => matches!(permission, P::Read | P::Acknowledge | P::Write | P::Metrics),
            Self::Operator => matches!(permission, P::Read | P::Acknowledge | P::Write),
            Self::Technician | Self::Installer => matches!(
                permission,
                P::Read | P::Acknowledge | P::Write | P::Metrics | P::Configure
            ),
            Self::Viewer | Self::Provider => permission == P::Read,
        }
    }
}
