//! The door of every route: denied by default. Owns the only way to register a route, which
//! demands what a caller must be allowed to do, enforces it, and writes it into the OpenAPI
//! document (`x-permission`). A route without a declaration does not compile.

use super::Face;
use super::extract::peer;
use super::refusal::{ErrorBody, ErrorDetail, Refusal};
use crate::app::AppError;
use crate::clock::Clock;
use crate::tenancy::{Authority, TenantContext, TokenError};
use axum::extract::Request;
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use riser_model::{Permission, TenantId};
use std::net::IpAddr;
use std::sync::Arc;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::{
    ContentBuilder, ObjectBuilder, OpenApi, Ref, Required, ResponseBuilder, SecurityRequirement,
    Type,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

/// What the guards of all routes share; travels in the request, so that routes can be listed
/// (for the document) without a running service.
#[derive(Clone)]
pub(super) struct Keeper {
    pub(super) authority: Arc<Authority>,
    pub(super) clock: Clock,
    pub(super) proxies: Arc<[IpAddr]>,
}

impl Keeper {
    /// Checks a token and enters the wanted tenant with it.
    pub(super) fn admit(
        &self,
        token: &str,
        wanted: Option<TenantId>,
    ) -> Result<TenantContext, AppError> {
        let identity = self
            .authority
            .verify(token, self.clock.now())
            .map_err(|error| AppError::Unauthenticated {
                code: match error {
                    TokenError::Expired => "token_expired",
                    TokenError::Invalid => "token_invalid",
                },
                message: error.to_string(),
            })?;
        identity
            .enter(wanted)
            .map_err(|_| AppError::NotFound("tenant of that name".to_owned()))
    }
}

/// Routes under construction. Its two ways in both say who may pass.
pub(super) struct Guarded(OpenApiRouter<Face>);

impl Guarded {
    /// No routes yet.
    pub(super) fn new(mut document: OpenApi) -> Self {
        let components = document.components.get_or_insert_default();
        for (name, schema) in [
            (ErrorBody::name(), ErrorBody::schema()),
            (ErrorDetail::name(), ErrorDetail::schema()),
        ] {
            components.schemas.insert(name.into_owned(), schema);
        }
        Self(OpenApiRouter::with_openapi(document))
    }

    /// Routes for whoever's role has this permission.
    pub(super) fn with(self, permission: Permission, routes: UtoipaMethodRouter<Face>) -> Self {
        let (schemas, mut paths, methods) = routes;
        for operation in paths.paths.values_mut().flat_map(operations) {
            operation.security = Some(vec![SecurityRequirement::new::<_, _, &str>("bearer", [])]);
            let parameters = operation.parameters.get_or_insert_default();
            parameters.push(tenant_parameter().into());
            describe(operation, "permission", &format!("{permission:?}"));
        }
        let methods = methods.route_layer(from_fn(move |request, next| {
            enforce(permission, request, next)
        }));
        Self(self.0.routes((schemas, paths, methods)))
    }

    /// Routes for everybody; the reason is written into the document.
    pub(super) fn open(self, why: &'static str, routes: UtoipaMethodRouter<Face>) -> Self {
        let (schemas, mut paths, methods) = routes;
        for operation in paths.paths.values_mut().flat_map(operations) {
            operation.security = Some(Vec::new());
            describe(operation, "open-because", why);
        }
        Self(self.0.routes((schemas, paths, methods)))
    }

    /// The finished routes and their document.
    pub(super) fn finish(self) -> (axum::Router<Face>, OpenApi) {
        self.0.split_for_parts()
    }
}

async fn enforce(permission: Permission, mut request: Request, next: Next) -> Response {
    match check(permission, &request) {
        Ok(context) => {
            request.extensions_mut().insert(context);
            next.run(request).await
        }
        Err(error) => Refusal::from(error).into_response(),
    }
}

fn check(permission: Permission, request: &Request) -> Result<TenantContext, AppError> {
    let keeper = request
        .extensions()
        .get::<Keeper>()
        .ok_or_else(|| AppError::Internal("the guard of the routes is missing".to_owned()))?;
    let token = bearer(request.headers()).ok_or_else(|| AppError::Unauthenticated {
        code: "token_missing",
        message: format!(
            "{} needs an access token: log in with POST /api/v1/auth/login and send it as \
             'Authorization: Bearer …'",
            request.uri().path()
        ),
    })?;
    let context = keeper.admit(token, wanted_tenant(request.uri())?)?;
    if !context.role().may(permission) {
        return Err(AppError::Forbidden(format!(
            "the role of {} does not allow this ({permission:?}); ask an administrator of your \
             tenant",
            context.email()
        )));
    }
    let address = peer(&keeper.proxies, request.extensions(), request.headers());
    Ok(context.coming_from(address.map(|address| address.to_canonical())))
}

/// The token of an `Authorization: Bearer` header (RFC 6750, clause 2.1).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim())
        .filter(|t| !t.is_empty())
}

/// `?tenant=`. A key needs no percent-encoding, so anything else is no tenant's name.
fn wanted_tenant(uri: &Uri) -> Result<Option<TenantId>, AppError> {
    let mut wanted = None;
    for pair in uri.query().unwrap_or_default().split('&') {
        let Some(text) = pair.strip_prefix("tenant=").filter(|t| !t.is_empty()) else {
            continue;
        };
        let tenant = TenantId::new(text)
            .map_err(|_| AppError::NotFound("tenant of that name".to_owned()))?;
        if wanted.replace(tenant).is_some() {
            return Err(AppError::Malformed(
                "the query names two tenants; name one".to_owned(),
            ));
        }
    }
    Ok(wanted)
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        item.get.as_mut(),
        item.put.as_mut(),
        item.post.as_mut(),
        item.delete.as_mut(),
        item.options.as_mut(),
        item.head.as_mut(),
        item.patch.as_mut(),
        item.trace.as_mut(),
    ]
    .into_iter()
    .flatten()
}

fn tenant_parameter() -> utoipa::openapi::path::Parameter {
    ParameterBuilder::new()
        .name("tenant")
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(
            "For whoever may cross tenants: the one to look into; all of them if absent.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

fn describe(operation: &mut Operation, name: &str, text: &str) {
    let extension = ExtensionsBuilder::new().add(name, text).build();
    operation
        .extensions
        .get_or_insert_default()
        .merge(extension);
    let refusal = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(ErrorBody::name())))
        .build();
    let refusal = ResponseBuilder::new()
        .description("Not carried out; the body says why and what to do.")
        .content("application/json", refusal)
        .build();
    operation
        .responses
        .responses
        .insert("default".to_owned(), refusal.into());
}
