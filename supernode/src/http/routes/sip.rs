//! `/sip`: telephones that are web pages, SIP over a WebSocket (RFC 7118). As open as the port of SIP
//! itself: a phone knows no passphrase.

use std::future::ready;
use std::sync::Arc;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};

use super::{Visitor, refuse_another_site};
use crate::state::AppState;

/// The subprotocol that both ends have to name (RFC 7118, section 4.1).
const SUBPROTOCOL: &str = "sip";
/// Longest message: what SIP's own port takes.
const MESSAGE_MAX: usize = 64 * 1024;

const NOT_SIP: &str = "\
this is for telephones: open a WebSocket here with the subprotocol \"sip\" (RFC 7118), as in
new WebSocket(\"ws://HOST:PORT/sip\", \"sip\")
";

/// `GET /sip`.
pub(super) async fn websocket(
    State(state): State<Arc<AppState>>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if let Some(refusal) = refuse_another_site(&state, &headers) {
        return refusal;
    }
    let Ok(upgrade) = upgrade else {
        return (StatusCode::BAD_REQUEST, NOT_SIP).into_response();
    };
    let upgrade = upgrade.protocols([SUBPROTOCOL]).max_message_size(MESSAGE_MAX);
    if upgrade.selected_protocol().is_none() {
        return (StatusCode::BAD_REQUEST, NOT_SIP).into_response();
    }
    upgrade.on_upgrade(move |socket| async move { serve(&state, &visitor, socket).await })
}

async fn serve(state: &AppState, visitor: &Visitor, socket: WebSocket) {
    let (out, messages) = socket.split();
    let messages = messages.take_while(|message| ready(message.is_ok()));
    let messages = messages.filter_map(|message| {
        ready(match message {
            Ok(Message::Text(text)) => Some(Bytes::from(text)),
            Ok(Message::Binary(bytes)) => Some(bytes),
            // Pings are answered by the library, and a close ends the stream.
            _ => None,
        })
    });
    let out = out.with(|bytes: Bytes| {
        let text = str::from_utf8(&bytes).is_ok().then(|| bytes.clone().try_into().ok()).flatten();
        ready(Ok::<_, axum::Error>(text.map_or(Message::Binary(bytes), Message::Text)))
    });
    state.sip.server().serve_websocket(visitor.remote, Box::pin(messages), Box::pin(out)).await;
}
