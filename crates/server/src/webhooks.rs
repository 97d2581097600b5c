//! `/webhook_subscriptions` (`docs/wire.md`).

use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use proxy_execute_protocol::{
    Area, CreateWebhookSubscription, ListWebhookDeliveries, ListWebhookSubscriptions, NewWebhookSubscription,
    Page, ReplayWebhooks, ReplayedWebhooks, RotatedWebhookSecret, UpdateWebhookSubscription, WebhookDelivery,
    WebhookEventTypes, WebhookSubscription,
};

use proxy_execute_gateway::audit::Action;

use super::caller::Caller;
use super::openapi::Errors;
use super::reply::{Failure, Named, Success, read, read_query};

const AREA: Area = Area::Webhooks;

/// Lists webhook subscriptions, newest first. Their secrets are not shown.
#[utoipa::path(get, path = "/webhook_subscriptions", operation_id = "listWebhookSubscriptions", tag = "webhooks",
    params(ListWebhookSubscriptions),
    responses((status = 200, body = Page<WebhookSubscription>,
        description = "A page of subscriptions."), Errors))]
pub(super) async fn list(caller: Caller, uri: Uri) -> Result<Response, Failure> {
    caller
        .reading(AREA, |gateway| async move {
            gateway.webhooks.list(read_query(&uri, &[], &["limit"], &[])?).await
        })
        .await
}

/// Creates a webhook subscription. Only this response and that of a rotation have the secret.
#[utoipa::path(post, path = "/webhook_subscriptions", operation_id = "createWebhookSubscription", tag = "webhooks",
    request_body = CreateWebhookSubscription,
    responses((status = 201, body = NewWebhookSubscription,
        description = "The new subscription, with its secret."), Errors))]
pub(super) async fn create(caller: Caller, request: Request) -> Result<Response, Failure> {
    caller
        .changing(AREA, StatusCode::CREATED, |gateway| async move {
            let made = gateway.webhooks.create(read(request).await?).await?;
            let change = Action::WebhookCreated.of(&made.subscription.id);
            Ok((made, change))
        })
        .await
}

/// Lists the types of events that a subscription may enable.
#[utoipa::path(get, path = "/webhook_subscriptions/event_types", operation_id = "listWebhookEventTypes",
    tag = "webhooks",
    responses((status = 200, body = WebhookEventTypes,
        description = "The types of events."), Errors))]
pub(super) async fn event_types(caller: Caller) -> Result<Response, Failure> {
    caller.reading(AREA, |gateway| async move { Ok(gateway.webhooks.event_types()) }).await
}

/// Reads a webhook subscription. Its secret is not shown.
#[utoipa::path(get, path = "/webhook_subscriptions/{id}", operation_id = "getWebhookSubscription", tag = "webhooks",
    params(("id" = String, Path)),
    responses((status = 200, body = WebhookSubscription,
        description = "The subscription."), Errors))]
pub(super) async fn get(caller: Caller, Named(id): Named<String>) -> Result<Response, Failure> {
    caller.reading(AREA, |gateway| async move { gateway.webhooks.get(&id).await }).await
}

/// Changes a webhook subscription. Parts that are not named stay.
#[utoipa::path(patch, path = "/webhook_subscriptions/{id}", operation_id = "updateWebhookSubscription",
    tag = "webhooks",
    params(("id" = String, Path)),
    request_body = UpdateWebhookSubscription,
    responses((status = 200, body = WebhookSubscription,
        description = "The subscription was changed."), Errors))]
pub(super) async fn update(
    caller: Caller,
    Named(id): Named<String>,
    request: Request,
) -> Result<Response, Failure> {
    caller
        .changing(AREA, StatusCode::OK, |gateway| async move {
            let changed = gateway.webhooks.update(&id, read(request).await?).await?;
            Ok((changed, Action::WebhookUpdated.of(id)))
        })
        .await
}

/// Deletes a webhook subscription with its deliveries.
#[utoipa::path(delete, path = "/webhook_subscriptions/{id}", operation_id = "deleteWebhookSubscription",
    tag = "webhooks",
    params(("id" = String, Path)),
    responses((status = 200, body = Success,
        description = "The subscription was deleted."), Errors))]
pub(super) async fn delete(caller: Caller, Named(id): Named<String>) -> Result<Response, Failure> {
    caller
        .changing(AREA, StatusCode::OK, |gateway| async move {
            gateway.webhooks.delete(&id).await?;
            Ok((Success::DONE, Action::WebhookDeleted.of(id)))
        })
        .await
}

/// Replaces the secret of a webhook subscription. The previous secret signs too for 24 hours.
#[utoipa::path(post, path = "/webhook_subscriptions/{id}/rotate_secret", operation_id = "rotateWebhookSecret",
    tag = "webhooks",
    params(("id" = String, Path)),
    responses((status = 200, body = RotatedWebhookSecret,
        description = "The new secret."), Errors))]
pub(super) async fn rotate_secret(caller: Caller, Named(id): Named<String>) -> Result<Response, Failure> {
    caller
        .changing(AREA, StatusCode::OK, |gateway| async move {
            let rotated = gateway.webhooks.rotate_secret(&id).await?;
            Ok((rotated, Action::WebhookSecretRotated.of(id)))
        })
        .await
}

/// Lists the deliveries of a webhook subscription, newest first. The hosted backend does not have this.
#[utoipa::path(get, path = "/webhook_subscriptions/{id}/deliveries", operation_id = "listWebhookDeliveries",
    tag = "webhooks",
    params(("id" = String, Path), ListWebhookDeliveries),
    responses((status = 200, body = Page<WebhookDelivery>,
        description = "A page of deliveries."), Errors))]
pub(super) async fn deliveries(
    caller: Caller,
    Named(id): Named<String>,
    uri: Uri,
) -> Result<Response, Failure> {
    caller
        .reading(AREA, |gateway| async move {
            gateway.webhooks.deliveries(&id, read_query(&uri, &[], &["limit"], &[])?).await
        })
        .await
}

/// Sends webhooks again that were delivered or given up. The hosted backend does not have this.
#[utoipa::path(post, path = "/webhook_subscriptions/{id}/replay", operation_id = "replayWebhooks", tag = "webhooks",
    params(("id" = String, Path)),
    request_body = ReplayWebhooks,
    responses((status = 200, body = ReplayedWebhooks,
        description = "How many are sent again."), Errors))]
pub(super) async fn replay(
    caller: Caller,
    Named(id): Named<String>,
    request: Request,
) -> Result<Response, Failure> {
    caller
        .changing(AREA, StatusCode::OK, |gateway| async move {
            let replayed = gateway.webhooks.replay(&id, read(request).await?).await?;
            Ok((replayed, Action::WebhookReplayed.of(id)))
        })
        .await
}
