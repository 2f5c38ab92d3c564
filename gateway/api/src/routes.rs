//! Every route with who may use it, and the OpenAPI document made from them. Owns the list; each
//! route's work is in the file named after its subject.

mod adapters;
mod alarms;
mod audit;
mod backups;
mod commands;
mod configuration;
mod discovery;
mod export;
mod extract;
mod ledger;
mod live;
mod overview;
mod people;
mod points;
mod quarantine;
mod service;

use crate::door::{CSRF_HEADER, Doors};
use crate::face::Face;
use crate::live::{LiveMessage, LiveRequest, LiveValue};
use crate::{auth, edge, ui};
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::{Extension, Router};
use riser_model::Permission as P;
use riser_model::configuration::DOCUMENT_MAX;
use std::time::Duration;
use tower_http::compression::CompressionLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

/// Largest request body in octets. The largest legitimate one but for configurations, a text value of
/// 4 KiB, is far below.
const BODY_MAX: usize = 64 * 1024;
/// Longest time until an answer begins.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// The whole face: API, live stream, technician's UI. Wants the peer's address as an extension of
/// each request; [`crate::bind`] gives it.
pub fn router(face: Face) -> Router {
    let (routes, _) = doors().finish();
    routes
        .with_state(face.clone())
        .fallback(ui::show)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(CompressionLayer::new().gzip(true))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            ANSWER_MAX,
        ))
        .layer(axum::middleware::from_fn(edge::wrap))
        .layer(Extension(face))
}

/// The OpenAPI document of the face.
#[must_use]
pub fn document() -> OpenApi {
    doors().finish().1
}

fn doors() -> Doors {
    let doors = Doors::new(base())
        .open(
            "says whether there is somebody to log in as",
            routes!(people::setup),
        )
        .open(
            "its own proof is the code of this unit",
            routes!(people::claim),
        )
        .open("a log-in comes before any session", routes!(people::login))
        .open(
            "for supervisors of processes; says nothing of content",
            routes!(service::healthz),
        )
        .open("the contract is public", routes!(service::openapi))
        .person(routes!(people::me))
        .person(routes!(people::logout))
        .needs_or_token(P::Metrics, routes!(service::metrics));
    commissioning(configuring(reading(doors)))
        .needs(P::Write, routes!(commands::write))
        .needs(P::Acknowledge, routes!(alarms::acknowledge))
        .needs(P::Administer, routes!(audit::audit))
        .needs(P::Administer, routes!(audit::audit_csv))
        .needs(P::Administer, routes!(audit::acknowledge))
        .needs(P::Administer, routes!(backups::make))
}

fn reading(doors: Doors) -> Doors {
    doors
        .needs(P::Read, routes!(overview::overview))
        .needs(P::Read, routes!(overview::devices))
        .needs(P::Read, routes!(overview::lanes))
        .needs(P::Read, routes!(ledger::ledger))
        .needs(P::Read, routes!(quarantine::quarantine))
        .needs(P::Read, routes!(quarantine::quarantined_frame))
        .needs(P::Read, routes!(points::points))
        .needs(P::Read, routes!(points::point))
        .needs(P::Read, routes!(points::trend))
        .needs(P::Read, routes!(export::samples_csv))
        .needs(P::Read, routes!(commands::commands))
        .needs(P::Read, routes!(commands::command))
        .needs(P::Read, routes!(alarms::alarms))
        .needs(P::Read, routes!(live::live))
}

fn configuring(doors: Doors) -> Doors {
    // A document has a limit of its own; escaped in JSON it may be longer.
    let long = |(schemas, paths, methods): UtoipaMethodRouter<Face>| {
        let limit = DefaultBodyLimit::max(2 * DOCUMENT_MAX);
        (schemas, paths, methods.layer(limit))
    };
    doors
        .needs(P::Configure, routes!(configuration::running))
        .needs(P::Configure, routes!(configuration::versions))
        .needs(P::Configure, routes!(configuration::version))
        .needs(P::Configure, routes!(configuration::compare))
        .needs(P::Configure, long(routes!(configuration::check)))
        .needs(P::Configure, long(routes!(configuration::apply)))
        .needs(P::Configure, routes!(configuration::confirm))
        .needs(P::Configure, routes!(configuration::revert))
}

fn commissioning(doors: Doors) -> Doors {
    doors
        .needs(P::Read, routes!(adapters::adapters))
        .needs(P::Configure, routes!(adapters::browse))
        .needs(P::Configure, routes!(adapters::operations))
        .needs(P::Configure, routes!(adapters::operate))
        .needs(P::Configure, routes!(discovery::protocols))
        .needs(P::Configure, routes!(discovery::start))
        .needs(P::Configure, routes!(discovery::look))
        .needs(P::Configure, routes!(discovery::cancel))
        .needs(P::Configure, routes!(discovery::add))
}

fn base() -> OpenApi {
    let key = |name, text| ApiKeyValue::with_description(name, text);
    let mut components = ComponentsBuilder::new()
        .security_scheme(
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(key(auth::COOKIE, "Set by logging in."))),
        )
        .security_scheme(
            "csrf",
            SecurityScheme::ApiKey(ApiKey::Header(key(
                CSRF_HEADER,
                "Any value, on every request that changes something.",
            ))),
        )
        .security_scheme(
            "metrics_token",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        )
        .build();
    // What goes over the live socket is no body of any route.
    let mut schemas = Vec::new();
    LiveRequest::schemas(&mut schemas);
    LiveMessage::schemas(&mut schemas);
    schemas.push((LiveRequest::name().into_owned(), LiveRequest::schema()));
    schemas.push((LiveMessage::name().into_owned(), LiveMessage::schema()));
    schemas.push((LiveValue::name().into_owned(), LiveValue::schema()));
    components.schemas.extend(schemas);
    let info = InfoBuilder::new()
        .title("Riser gateway")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The local face of a gateway. Times are milliseconds since 1970-01-01T00:00:00Z. \
             Log in with POST /api/v1/session; the session is a cookie.",
        ))
        .build();
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .build()
}
