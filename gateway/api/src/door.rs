//! The door of every route: denied by default. Owns the only way to register a route, which
//! demands who may pass, enforces it, and writes it into the OpenAPI document. A route without a
//! declaration does not compile.

use crate::auth::Caller;
use crate::edge;
use crate::face::Face;
use crate::refusal::{ErrorBody, ErrorDetail, Refusal};
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use riser_model::Permission;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, ResponseBuilder, SecurityRequirement};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

/// The header every request that changes something must carry. A foreign page cannot set it
/// without asking first, and nobody answers that question.
pub(crate) const CSRF_HEADER: &str = "x-riser";

/// Who may pass.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// Everybody, for this reason.
    Open(&'static str),
    /// Everybody who is logged in.
    Person,
    /// Whoever's role has this permission.
    Needs(Permission),
    /// As `Needs`, or a program with the metrics token.
    NeedsOrToken(Permission),
}

/// Routes under construction. Each way in says who may pass.
pub(crate) struct Doors(OpenApiRouter<Face>);

impl Doors {
    /// No routes yet.
    pub(crate) fn new(mut document: OpenApi) -> Self {
        let components = document.components.get_or_insert_default();
        for (name, schema) in [
            (ErrorBody::name(), ErrorBody::schema()),
            (ErrorDetail::name(), ErrorDetail::schema()),
        ] {
            components.schemas.insert(name.into_owned(), schema);
        }
        Self(OpenApiRouter::with_openapi(document))
    }

    /// A route for everybody, for a reason.
    pub(crate) fn open(self, why: &'static str, routes: UtoipaMethodRouter<Face>) -> Self {
        self.add(Rule::Open(why), routes)
    }

    /// A route for everybody who is logged in.
    pub(crate) fn person(self, routes: UtoipaMethodRouter<Face>) -> Self {
        self.add(Rule::Person, routes)
    }

    /// A route for whoever's role has this permission.
    pub(crate) fn needs(self, permission: Permission, routes: UtoipaMethodRouter<Face>) -> Self {
        self.add(Rule::Needs(permission), routes)
    }

    /// A route for whoever's role has this permission, and for a program with the metrics token.
    pub(crate) fn needs_or_token(
        self,
        permission: Permission,
        routes: UtoipaMethodRouter<Face>,
    ) -> Self {
        self.add(Rule::NeedsOrToken(permission), routes)
    }

    fn add(self, rule: Rule, (schemas, mut paths, methods): UtoipaMethodRouter<Face>) -> Self {
        for (method, operation) in paths.paths.values_mut().flat_map(operations) {
            describe(rule, &method, operation);
        }
        let guarded = methods.route_layer(from_fn(move |request, next| pass(rule, request, next)));
        Self(self.0.routes((schemas, paths, guarded)))
    }

    /// The finished routes and their document.
    pub(crate) fn finish(self) -> (axum::Router<Face>, OpenApi) {
        self.0.split_for_parts()
    }
}

async fn pass(rule: Rule, mut request: Request, next: Next) -> Response {
    match check(rule, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

async fn check(rule: Rule, request: &mut Request) -> Result<(), Refusal> {
    let face = request
        .extensions()
        .get::<Face>()
        .cloned()
        .ok_or_else(|| Refusal::internal("the face is missing from a request"))?;
    edge::same_origin(request.method(), request.headers())?;
    if changes_something(request.method()) && !request.headers().contains_key(CSRF_HEADER) {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "header_missing",
            "requests that change something need the header 'X-Riser: 1'",
        ));
    }
    let permission = match rule {
        Rule::Open(_) => return Ok(()),
        Rule::Person => None,
        Rule::Needs(permission) => Some(permission),
        Rule::NeedsOrToken(_) if face.is_metrics_token(bearer(request.headers())) => return Ok(()),
        Rule::NeedsOrToken(permission) => Some(permission),
    };
    let caller = face
        .accounts()
        .caller(request.headers())
        .await?
        .ok_or_else(|| {
            Refusal::new(
                StatusCode::UNAUTHORIZED,
                "not_logged_in",
                "nobody is logged in, or the session has ended: log in with POST /api/v1/session",
            )
        })?;
    if let Some(permission) = permission.filter(|p| !caller.role.may(*p)) {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "not_permitted",
            format!(
                "the role of {} does not allow this ({}); ask whoever runs this gateway",
                caller.user,
                word(permission)
            ),
        ));
    }
    request.extensions_mut().insert(caller);
    Ok(())
}

fn changes_something(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The token of an `Authorization: Bearer` header (RFC 6750, clause 2.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The caller, on routes whose door lets only persons pass.
impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Refusal::internal("a route wants its caller but lets anybody pass"))
    }
}

fn word(permission: Permission) -> &'static str {
    match permission {
        Permission::Read => "read",
        Permission::Acknowledge => "acknowledge",
        Permission::Write => "write",
        Permission::Metrics => "metrics",
        Permission::Configure => "configure",
        Permission::Administer => "administer",
        Permission::AllTenants => "all_tenants",
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (Method::GET, item.get.as_mut()),
        (Method::PUT, item.put.as_mut()),
        (Method::POST, item.post.as_mut()),
        (Method::DELETE, item.delete.as_mut()),
        (Method::PATCH, item.patch.as_mut()),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation?)))
}

fn describe(rule: Rule, method: &Method, operation: &mut Operation) {
    let (name, text) = match rule {
        Rule::Open(why) => ("open-because", why),
        Rule::Person => ("permission", "any_person"),
        Rule::Needs(p) | Rule::NeedsOrToken(p) => ("permission", word(p)),
    };
    operation
        .extensions
        .get_or_insert_default()
        .merge(ExtensionsBuilder::new().add(name, text).build());
    operation.security = Some(security(rule, changes_something(method)));
    let body = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(ErrorBody::name())))
        .build();
    let refused = ResponseBuilder::new()
        .description("Not carried out; the body says why and what to do.")
        .content("application/json", body)
        .build();
    operation
        .responses
        .responses
        .insert("default".to_owned(), refused.into());
}

fn security(rule: Rule, changes: bool) -> Vec<SecurityRequirement> {
    let none: [&str; 0] = [];
    let with_header = |requirement: SecurityRequirement| {
        if changes {
            requirement.add("csrf", none)
        } else {
            requirement
        }
    };
    let session = with_header(SecurityRequirement::new("session", none));
    match rule {
        Rule::Open(_) if changes => vec![SecurityRequirement::new("csrf", none)],
        Rule::Open(_) => Vec::new(),
        Rule::Person | Rule::Needs(_) => vec![session],
        Rule::NeedsOrToken(_) => {
            vec![session, SecurityRequirement::new("metrics_token", none)]
        }
    }
}
