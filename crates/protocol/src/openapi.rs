//! Schemas without a type of their own: the two forms of a proxied call, and the envelope, which the
//! gateway writes as text.

use std::borrow::Cow;

use utoipa::openapi::schema::{Schema, SchemaType, Type};
use utoipa::openapi::{Object, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::envelope::EnvelopeFields;
use crate::{Envelope, ProxyRequest};

/// A call to an endpoint of a toolkit as the session's user.
#[derive(Debug)]
pub enum SessionProxyRequest {}

impl PartialSchema for SessionProxyRequest {
    fn schema() -> RefOr<Schema> {
        let mut request = request_without("connected_account_id");
        request.required.insert(0, "toolkit_slug".to_owned());
        if let Some(RefOr::T(Schema::Object(slug))) = request.properties.get_mut("toolkit_slug") {
            slug.schema_type = SchemaType::Type(Type::String);
        }
        request.into()
    }
}

impl ToSchema for SessionProxyRequest {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        ProxyRequest::schemas(schemas);
    }
}

/// A call to an endpoint of a toolkit with an account, or with credentials given in the call.
#[derive(Debug)]
pub enum ToolsProxyRequest {}

impl PartialSchema for ToolsProxyRequest {
    fn schema() -> RefOr<Schema> {
        request_without("toolkit_slug").into()
    }
}

impl ToSchema for ToolsProxyRequest {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        ProxyRequest::schemas(schemas);
    }
}

/// The form of a proxied call at the endpoint that does not take this field.
fn request_without(field: &str) -> Object {
    let RefOr::T(Schema::Object(mut request)) = ProxyRequest::schema() else {
        unreachable!("a struct with fields is an object")
    };
    request.properties.remove(field);
    request.description = None;
    request
}

impl PartialSchema for Envelope {
    fn schema() -> RefOr<Schema> {
        EnvelopeFields::schema()
    }
}

impl ToSchema for Envelope {
    fn name() -> Cow<'static, str> {
        EnvelopeFields::name()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        EnvelopeFields::schemas(schemas);
    }
}
