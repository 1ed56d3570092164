//! `/phone`: what to type into a softphone, for people, and the same for Linphone to read. As open as the
//! port of SIP itself.

use std::sync::Arc;

use axum::extract::{Extension, RawQuery, State};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};

use super::{Visitor, in_turn};
use crate::phone_page::{self, Place, User};
use crate::state::AppState;

/// `GET /phone`, maybe with `?user=NAME`.
pub(super) async fn page(
    State(state): State<Arc<AppState>>,
    Extension(visitor): Extension<Visitor>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let place = place(&state, &headers);
    let asked = user(query.as_deref());
    let make = || Html(phone_page::page(&place, asked.as_ref())).into_response();
    in_turn(&state, &visitor, make).await
}

/// `GET /phone/linphone.xml?user=NAME`.
pub(super) async fn linphone(
    State(state): State<Arc<AppState>>,
    Extension(visitor): Extension<Visitor>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let place = place(&state, &headers);
    let make = || match user(query.as_deref()) {
        Some(Ok(user)) => {
            let xml = phone_page::linphone(&place, &user);
            ([(CONTENT_TYPE, "application/xml; charset=utf-8")], xml).into_response()
        }
        Some(Err(wrong)) => (StatusCode::BAD_REQUEST, format!("{wrong}\n")).into_response(),
        None => (StatusCode::BAD_REQUEST, "whose phone? ask for ?user=NAME\n").into_response(),
    };
    in_turn(&state, &visitor, make).await
}

fn user(query: Option<&str>) -> Option<Result<User, phone_page::NotAUser>> {
    let mut fields = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let (_, user) = fields.find(|(name, value)| name == "user" && !value.is_empty())?;
    Some(user.parse())
}

/// Where this node is, as whoever asks sees it: a page that was got from an address is of use there.
fn place(state: &AppState, headers: &HeaderMap) -> Place {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    Place::new(host, state.sip.address())
}
