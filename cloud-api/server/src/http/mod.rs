//! The HTTP face of the cloud. Owns the list of routes with what each demands, the OpenAPI
//! document made from it, and serving; the work is done in `app`, never here, and this folder
//! does not know the database.

mod alarms;
mod assets;
mod audit;
mod auth;
mod commands;
mod configuration;
mod edge;
mod extract;
mod fleet;
mod guard;
mod ledger;
mod live;
mod points;
mod quarantine;
mod refusal;
mod serve;
mod service;

pub use serve::serve;

use crate::app::App;
use crate::app::configurations::DOCUMENT_MAX;
use crate::clock::Clock;
use crate::live::Hub;
use crate::live::message::{LiveMessage, LivePoint, LiveRequest, LiveValue};
use crate::tenancy::Authority;
use axum::extract::DefaultBodyLimit;
use axum::{Extension, Router};
use guard::{Guarded, Keeper};
use riser_model::Permission;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

/// Largest request body in octets. The largest legitimate one, a text value of 4 KiB, is far
/// below.
const BODY_MAX: usize = 64 * 1024;

/// Live sockets at a time that have not shown a token yet.
const UNKNOWN_MAX: usize = 256;

/// What the HTTP face needs.
#[derive(Debug)]
pub struct FaceParts {
    /// The work behind the routes.
    pub app: Arc<App>,
    /// Live sockets.
    pub live: Hub,
    /// Checks access tokens.
    pub authority: Arc<Authority>,
    /// Where "now" comes from.
    pub clock: Clock,
    /// What `/metrics` wants as bearer token; nobody sees the figures without one configured.
    pub metrics_token: Option<String>,
    /// Whether browsers reach this face by HTTPS: marks cookies `Secure`.
    pub secure_cookies: bool,
    /// Reverse proxies whose `X-Forwarded-For` says who really asks.
    pub proxies: Vec<IpAddr>,
    /// Closes live sockets when the service stops.
    pub stop: CancellationToken,
}

/// What every handler can reach.
#[derive(Clone)]
struct Face {
    app: Arc<App>,
    live: Hub,
    keeper: Keeper,
    metrics_token: Option<Arc<str>>,
    secure_cookies: bool,
    proxies: Arc<[IpAddr]>,
    stop: CancellationToken,
    /// Live sockets that have not shown a token yet.
    unknown: Arc<Semaphore>,
}

/// The router of the HTTP face. It wants the peer's address as connect information; [`serve`]
/// gives it.
pub fn router(parts: FaceParts) -> Router {
    let proxies: Arc<[IpAddr]> = parts.proxies.into();
    let keeper = Keeper {
        authority: parts.authority,
        clock: parts.clock,
        proxies: Arc::clone(&proxies),
    };
    let face = Face {
        app: parts.app,
        live: parts.live,
        keeper: keeper.clone(),
        metrics_token: parts.metrics_token.map(Into::into),
        secure_cookies: parts.secure_cookies,
        proxies,
        stop: parts.stop,
        unknown: Arc::new(Semaphore::new(UNKNOWN_MAX)),
    };
    let https = face.secure_cookies;
    let (routes, _) = table().finish();
    routes
        .with_state(face)
        .merge(assets::router())
        .layer(Extension(keeper))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(axum::middleware::from_fn(move |request, next| {
            edge::wrap(https, request, next)
        }))
}

/// The OpenAPI document of the face.
#[must_use]
pub fn document() -> OpenApi {
    table().finish().1
}

/// Every route, with what it demands.
fn table() -> Guarded {
    let guarded = Guarded::new(base())
        .open("a log-in comes before any token", routes!(auth::login))
        .open(
            "its own proof is the refresh cookie",
            routes!(auth::refresh),
        )
        .open("its own proof is the refresh cookie", routes!(auth::logout))
        .open(
            "for load balancers; says nothing of content",
            routes!(service::healthz),
        )
        .open(
            "its own proof is the metrics token",
            routes!(service::metrics),
        )
        .open("the contract is public", routes!(service::openapi))
        .open(
            "its own proof is the token in the first message",
            routes!(live::live),
        );
    read(guarded)
        .with(Permission::Administer, routes!(audit::audit))
        .with(Permission::Administer, routes!(audit::audit_csv))
        .with(Permission::Administer, routes!(audit::acknowledge))
        .with(Permission::Acknowledge, routes!(alarms::acknowledge))
        .with(Permission::Write, routes!(commands::write))
        .with(Permission::Configure, routes!(configuration::running))
        .with(Permission::Configure, long(routes!(configuration::apply)))
        .with(Permission::Configure, routes!(configuration::cancel))
        .with(Permission::Configure, routes!(configuration::confirm))
        .with(Permission::Configure, routes!(configuration::revert))
}

/// A route that takes a whole document.
fn long((schemas, paths, methods): UtoipaMethodRouter<Face>) -> UtoipaMethodRouter<Face> {
    // Escaped in JSON it may be longer.
    let limit = DefaultBodyLimit::max(2 * DOCUMENT_MAX);
    (schemas, paths, methods.layer(limit))
}

fn read(guarded: Guarded) -> Guarded {
    guarded
        .with(Permission::Read, routes!(auth::me))
        .with(Permission::Read, routes!(fleet::tenants))
        .with(Permission::Read, routes!(fleet::tenant))
        .with(Permission::Read, routes!(fleet::gateways))
        .with(Permission::Read, routes!(fleet::gateway))
        .with(Permission::Read, routes!(ledger::ledger))
        .with(Permission::Read, routes!(ledger::completeness))
        .with(Permission::Read, routes!(quarantine::quarantine))
        .with(Permission::Read, routes!(quarantine::quarantined_frame))
        .with(Permission::Read, routes!(points::points))
        .with(Permission::Read, routes!(points::point))
        .with(Permission::Read, routes!(points::trend))
        .with(Permission::Read, routes!(points::samples))
        .with(Permission::Read, routes!(points::samples_csv))
        .with(Permission::Read, routes!(commands::commands))
        .with(Permission::Read, routes!(commands::command))
        .with(Permission::Read, routes!(alarms::alarms))
}

/// The document before any route: title, the bearer scheme, and the messages of the live socket,
/// which OpenAPI has no routes for.
fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Riser cloud")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Times are milliseconds since 1970-01-01 UTC. Numbers JSON cannot carry are null. \
             Whatever is not carried out answers with an ErrorBody.",
        ))
        .build();
    let mut document = OpenApiBuilder::new().info(info).build();
    let components = document.components.get_or_insert_default();
    let bearer = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let mut nested = Vec::new();
    LiveRequest::schemas(&mut nested);
    LiveMessage::schemas(&mut nested);
    components.schemas.extend(nested);
    for (name, schema) in [
        (LiveRequest::name(), LiveRequest::schema()),
        (LiveMessage::name(), LiveMessage::schema()),
        (LivePoint::name(), LivePoint::schema()),
        (LiveValue::name(), LiveValue::schema()),
    ] {
        components.schemas.insert(name.into_owned(), schema);
    }
    document
}
