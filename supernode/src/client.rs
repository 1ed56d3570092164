//! The client commands: `supernode put`, `get`, `rm` and `status`, which speak to a running
//! super-node as any other program would.
//!
//! ```text
//! arguments ──request──► Request ──rpc, http──► Answer or ClientError ──output──► Printed
//! ```
//!
//! The two ends are pure; [`run`] gives them the standard streams.

mod error;
mod http;
mod output;
mod request;
mod rpc;
#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::process::ExitCode;

use crate::cli::{ClientCommand, NodeUrl};
use error::ClientError;
use output::{Answer, Format, Printed};
use request::Request;

/// Does what a client command says and prints what came of it. The exit code is 0 when it is done,
/// 1 when nothing is there, 2 when the request makes no sense, 3 when the node refused or could not
/// be reached.
pub async fn run(command: ClientCommand) -> ExitCode {
    let printed = perform(&command, &mut io::stdin()).await;
    printed.write(&mut io::stdout(), &mut io::stderr())
}

async fn perform(command: &ClientCommand, stdin: &mut (impl Read + Send)) -> Printed {
    let format = Format::of(command);
    let answer = match Request::read(command, stdin) {
        Ok(request) => ask(&command.connection().node, request).await,
        Err(error) => Err(error),
    };
    output::render(answer, format)
}

async fn ask(node: &NodeUrl, request: Request) -> Result<Answer, ClientError> {
    Ok(match request {
        Request::Put { key, value, secret, ttl } => {
            let (replicas, latency_ms) = rpc::put(node, &key, &value, secret, ttl).await?;
            Answer::Stored { replicas, latency_ms }
        }
        Request::Get { key, max } => {
            let values = rpc::get(node, &key, max).await?;
            Answer::Values { key, values }
        }
        Request::Remove { key, value, secret } => {
            Answer::Removed { found: rpc::remove(node, &key, &value, secret).await?, key }
        }
        Request::Status => Answer::Status { node: node.clone(), status: http::status(node).await? },
    })
}
