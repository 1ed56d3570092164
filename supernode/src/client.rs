//! The client commands: `supernode put`, `get`, `services` and their kin, which speak to a running
//! super-node as any other program would.
//!
//! ```text
//! arguments ──request──► Request ──rpc, http──► Answer or ClientError ──output──► Printed
//! ```
//!
//! The two ends are pure; [`run`] gives them the standard streams.

mod error;
mod http;
mod names;
mod output;
mod person;
mod phones;
mod registrations;
mod request;
mod rpc;
mod services;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use crate::cli::ClientCommand;
use crate::passphrase;
use error::ClientError;
use http::Server;
use output::{Answer, Format, Printed};
use request::Request;

/// Does what a client command says and prints what came of it. The exit code is 0 when it is done,
/// 1 when nothing is there, 2 when the request makes no sense, 3 when the node refused or could not
/// be reached.
pub async fn run(command: ClientCommand) -> ExitCode {
    let variables = Variables {
        passphrase: std::env::var_os(passphrase::VARIABLE),
        name_passphrase: std::env::var_os(person::VARIABLE),
    };
    let printed = perform(&command, variables, &mut io::stdin(), &mut io::stdout()).await;
    printed.write(&mut io::stdout(), &mut io::stderr())
}

/// What the environment has for passphrases.
#[derive(Debug, Default)]
struct Variables {
    /// The overlay's.
    passphrase: Option<OsString>,
    /// A name's.
    name_passphrase: Option<OsString>,
}

/// Does what a command says; `early` is for what has to be seen before it is done.
async fn perform(
    command: &ClientCommand,
    variables: Variables,
    stdin: &mut (impl Read + Send),
    early: &mut (impl Write + Send),
) -> Printed {
    let answer = answer(command, variables, stdin, early).await;
    output::render(answer, Format::of(command))
}

async fn answer(
    command: &ClientCommand,
    variables: Variables,
    stdin: &mut (impl Read + Send),
    early: &mut (impl Write + Send),
) -> Result<Answer, ClientError> {
    let server = Server::read(command.connection(), variables.passphrase)?;
    if let ClientCommand::Claim(args) = command {
        let claim = names::claim(&server, args, variables.name_passphrase, stdin, early);
        return claim.await.map(Answer::Claimed);
    }
    if let ClientCommand::PhonePassword(args) = command {
        let set = phones::set(&server, args, variables.name_passphrase, stdin);
        return set.await.map(Answer::PhonePassword);
    }
    ask(&server, Request::read(command, stdin)?).await
}

async fn ask(server: &Server, request: Request) -> Result<Answer, ClientError> {
    Ok(match request {
        Request::Put { key, value, secret, ttl } => {
            let (replicas, latency_ms) = rpc::put(server, &key, &value, secret, ttl).await?;
            Answer::Stored { replicas, latency_ms }
        }
        Request::Get { key, max } => {
            let values = rpc::get(server, &key, max).await?;
            Answer::Values { key, values }
        }
        Request::Remove { key, value, secret } => {
            Answer::Removed { found: rpc::remove(server, &key, &value, secret).await?, key }
        }
        Request::Services => Answer::Services { services: services::all(server).await? },
        Request::Lookup { service, max } => {
            let contacts = services::lookup(server, &service, max).await?;
            Answer::Providers { service, contacts }
        }
        Request::Advertise { service, contact, ttl } => {
            services::advertise(server, &service, &contact, ttl).await?;
            Answer::Advertised
        }
        Request::Withdraw { service, contact } => {
            let found = services::withdraw(server, &service, &contact).await?;
            Answer::Withdrawn { service, found }
        }
        Request::Name { name } => Answer::Claimants(names::look_up(server, &name, None).await?),
        Request::Registrations => Answer::Registrations(registrations::all(server).await?),
        Request::Status => {
            Answer::Status { node: server.node.clone(), status: http::status(server).await? }
        }
    })
}
