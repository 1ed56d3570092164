//! A client that calls the daemon's methods, one after another on one connection.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Datum, Param, Reply, call, parse};
use crate::http::{Connection, post};

/// How long a call may take: more than a durable write behind many others.
const CALL_LIMIT: Duration = Duration::from_secs(20);

/// A keep-alive connection to a super-node.
#[derive(Debug)]
pub(crate) struct Client {
    connection: Connection,
}

impl Client {
    /// Connects.
    pub(crate) fn connect(server: SocketAddr) -> Result<Client> {
        Ok(Client { connection: Connection::open(server, CALL_LIMIT)? })
    }

    /// Calls a method.
    pub(crate) fn call(&mut self, method: &str, params: &[Param<'_>]) -> Result<Reply> {
        self.connection.extend(CALL_LIMIT);
        self.connection.send(&post("/RPC2", call(method, params).as_bytes()))?;
        let answer = self.connection.answer()?.context("the server closed the connection")?;
        ensure!(answer.status == 200, "status {} to {method}", answer.status);
        parse(&answer.body)
    }

    /// `scope.put` without a secret, for an hour.
    pub(crate) fn put(&mut self, key: &str, value: &[u8]) -> Result<Reply> {
        let params = [Param::Text(key), Param::Bytes(value), Param::Text(""), Param::Int(3600)];
        self.call("scope.put", &params)
    }

    /// `scope.remove` without a secret.
    pub(crate) fn remove(&mut self, key: &str, value: &[u8]) -> Result<Reply> {
        let params = [Param::Text(key), Param::Bytes(value), Param::Text(""), Param::Int(3600)];
        self.call("scope.remove", &params)
    }

    /// `scope.get` of all values of a key.
    pub(crate) fn get(&mut self, key: &str) -> Result<Vec<Vec<u8>>> {
        let values = self.call("scope.get", &[Param::Text(key)])?.value()?.array()?;
        values.into_iter().map(Datum::bytes).collect()
    }
}
