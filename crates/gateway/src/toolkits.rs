//! The toolkits of a gateway as responses show them: in lists and one by one.

use std::collections::BTreeSet;
use std::sync::Arc;

use proxy_execute_protocol::{
    AuthConfigDetails, AuthConfigFields, FieldGroup, InputField, ListToolkits, Page, Result,
    ToolkitCategories, ToolkitDetails, ToolkitItem,
};

use crate::bounds;
use crate::page::{ListCursor, rows_of};
use crate::redirect_uri::RedirectUris;
use crate::toolkit::{Catalogue, Toolkit, category};

const MAX_PAGE: u32 = 1_000;

/// The toolkits of a gateway.
#[derive(Debug, Clone)]
pub struct Toolkits {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) redirect_uris: RedirectUris,
}

impl Toolkits {
    /// Lists toolkits, by slug.
    pub fn list(&self, request: &ListToolkits) -> Result<Page<ToolkitItem>> {
        bounds::length(request.search.as_deref().unwrap_or_default(), bounds::LONGEST_NAME, "search")?;
        let place = ListCursor::read(request.limit, request.cursor.as_deref(), MAX_PAGE, MAX_PAGE)?;
        let none = request.managed_by.as_deref() == Some("composio");
        let is_in = |toolkit: &Toolkit| {
            let category = request.category.as_deref();
            category.is_none_or(|wanted| toolkit.categories.iter().any(|category| category == wanted))
        };
        let all = self
            .catalogue
            .iter()
            .filter(|toolkit| !none && is_in(toolkit) && toolkit.is_found_by(request.search.as_deref()));
        let rows = rows_of(all.map(Arc::as_ref).collect(), &place, |toolkit| &toolkit.slug);
        Ok(place.page(rows, |toolkit| (0, toolkit.slug.clone()), Toolkit::item))
    }

    /// Lists the categories that toolkits have, by id.
    pub fn categories(&self) -> ToolkitCategories {
        let ids: BTreeSet<&String> = self.catalogue.iter().flat_map(|toolkit| &toolkit.categories).collect();
        let items = ids.into_iter().map(|id| category(id)).collect();
        ToolkitCategories { items, next_cursor: None, total_pages: 1 }
    }

    /// Reads a toolkit.
    pub fn details(&self, slug: &str) -> Result<ToolkitDetails> {
        let toolkit = self.catalogue.get(slug)?;
        let auth_config_details = toolkit.schemes().map(|scheme| AuthConfigDetails {
            mode: scheme.to_string(),
            name: format!("{} {scheme}", toolkit.name),
            required_scopes: toolkit.default_scopes(scheme).to_vec(),
            redirect_uri: self.redirect_uris.to_register(toolkit, scheme),
            client_page: toolkit.client_page(scheme).map(str::to_owned),
            setup: toolkit.setup(scheme).cloned(),
            fields: AuthConfigFields {
                auth_config_creation: grouped(toolkit.client_fields(scheme)),
                connected_account_initiation: grouped(toolkit.input_fields(scheme)),
            },
        });
        Ok(ToolkitDetails {
            auth_config_details: auth_config_details.collect(),
            item: toolkit.item(),
            enabled: true,
            base_url: toolkit.base_url(),
            composio_managed_auth: Vec::new(),
            pagination: toolkit.pagination.clone(),
            rate_limit: toolkit.rate_limit.clone(),
        })
    }
}

/// Groups fields into required and optional ones.
fn grouped(fields: Vec<InputField>) -> FieldGroup {
    let (required, optional) = fields.into_iter().partition(|field| field.required);
    FieldGroup { required, optional }
}
