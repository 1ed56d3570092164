//! `docs/reference/openapi.json`, made of the types that are sent, and `docs/reference/json.md` held to it.

use std::collections::BTreeSet;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use whatsup::door::{
    Answers, Asks, BATCH_BODY_MAX, BATCH_REPLY_MAX, Changes, Get, Looked, Page, Put, PutValue,
    Refused, Remove, Removed, WATCH_BODY_MAX, Watch,
};

use super::{Status, names, registrations, services, session};
use crate::config::assert_page;
use crate::rpc::REQUEST_MAX;

/// An operation in the making.
struct Operation<'g> {
    schemas: &'g mut SchemaGenerator,
    json: Value,
}

impl Operation<'_> {
    /// A body.
    fn takes<T: JsonSchema>(mut self, max: usize) -> Self {
        let schema = self.schemas.subschema_for::<T>();
        self.json["requestBody"] = json!({
            "required": true,
            "description": format!("At most {max} bytes."),
            "content": {"application/json": {"schema": schema}}
        });
        self
    }

    /// What it answers when all is well.
    fn answers<T: JsonSchema>(self, what: &str) -> Self {
        self.answers_with::<T>("200", what)
    }

    /// What it answers when it refuses.
    fn refuses(mut self, whens: &[(&str, &str)]) -> Self {
        for (status, when) in whens {
            self = self.answers_with::<Refused>(status, when);
        }
        self
    }

    fn answers_with<T: JsonSchema>(mut self, status: &str, what: &str) -> Self {
        let schema = self.schemas.subschema_for::<T>();
        self.json["responses"][status] = json!({
            "description": what,
            "content": {"application/json": {"schema": schema}}
        });
        self
    }

    /// A status without JSON: a text for people.
    fn tells(mut self, status: &str, what: &str) -> Self {
        self.json["responses"][status] =
            json!({"description": what, "content": {"text/plain": {"schema": {"type": "string"}}}});
        self
    }

    /// A field of the URL.
    fn field(mut self, place: &str, name: &str, schema: Value, what: &str) -> Self {
        let field = json!({
            "name": name,
            "in": place,
            "required": place == "path",
            "schema": schema,
            "description": what,
        });
        if !self.json["parameters"].is_array() {
            self.json["parameters"] = json!([]);
        }
        if let Some(fields) = self.json["parameters"].as_array_mut() {
            fields.push(field);
        }
        self
    }
}

/// The interface's paths.
#[derive(Default)]
struct Paths {
    schemas: SchemaGenerator,
    paths: Map<String, Value>,
}

impl Paths {
    fn add(
        &mut self,
        path: &str,
        method: &str,
        summary: &str,
        describe: impl FnOnce(Operation<'_>) -> Operation<'_>,
    ) {
        let json = json!({"summary": summary, "responses": {}});
        let operation = describe(Operation { schemas: &mut self.schemas, json });
        // What any of them may answer.
        let operation = operation
            .tells("401", "The node wants its overlay's passphrase: `POST /api/v1/session`.")
            .tells("503", "It is busy. Nothing was done; `Retry-After` says when to try again.");
        let json = operation.json;
        let path = self.paths.entry(path).or_insert_with(|| json!({}));
        path[method] = json;
    }
}

/// What single verbs and others refuse with.
const BAD: (&str, &str) = ("400", "It makes no sense, or is forged.");
const FORBIDDEN: (&str, &str) = ("403", "Another secret guards it, or another has it.");
const LARGE: (&str, &str) = ("413", "The body, or something in it, is too long.");
const FULL: (&str, &str) =
    ("507", "There is no room: in the key, the overlay, or what your address may put.");

fn openapi() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    let mut all = Paths { schemas: settings.into_generator(), paths: Map::new() };
    let text = || json!({"type": "string"});

    all.add("/api/v1/batch", "post", "Many puts, gets and others in one request.", |operation| {
        operation
            .takes::<Asks>(BATCH_BODY_MAX)
            .answers::<Answers>(&format!(
                "What came of each, at most {BATCH_REPLY_MAX} bytes: what found no room is an `error` of \
                 the kind `try_again`."
            ))
            .refuses(&[("400", "The body is no batch."), LARGE])
    });
    all.add("/api/v1/put", "post", "Put a value.", |operation| {
        operation
            .takes::<PutValue>(REQUEST_MAX)
            .answers::<Put>("It is stored.")
            .refuses(&[BAD, LARGE, FULL])
    });
    all.add("/api/v1/get", "post", "List values under a key.", |operation| {
        operation
            .takes::<Get>(REQUEST_MAX)
            .answers::<Page>("Values, and where to go on.")
            .refuses(&[BAD, LARGE])
    });
    all.add("/api/v1/remove", "post", "Remove a value.", |operation| {
        operation
            .takes::<Remove>(REQUEST_MAX)
            .answers::<Removed>("It is not there any more.")
            .refuses(&[BAD, FORBIDDEN, LARGE, FULL])
    });
    all.add("/api/v1/watch", "post", "Wait for one of many keys to change.", |operation| {
        operation
            .takes::<Watch>(WATCH_BODY_MAX)
            .answers::<Changes>("Which have changed; none after the timeout.")
            .refuses(&[
                BAD,
                LARGE,
                ("507", "Your address, or this node, watches as many as it may."),
            ])
    });
    all.add("/api/v1/names/{name}", "get", "Who has a name.", |operation| {
        operation
            .field("path", "name", text(), "The name.")
            .field("query", "key", text(), "The asker's public key, to learn its next sequence.")
            .answers::<Looked>("Who has it, and who else claims it.")
            .refuses(&[BAD, LARGE])
    });
    all.add("/api/v1/names/{name}", "post", "Claim a name, or give it back.", |operation| {
        operation
            .field("path", "name", text(), "The name.")
            .takes::<names::Claim>(8 * 1024)
            .answers::<Put>("It is stored; who has the name is decided some two seconds later.")
            .refuses(&[BAD, ("403", "The name is taken, or a newer claim is there."), LARGE, FULL])
    });
    all.add("/api/v1/services", "get", "All services.", |operation| {
        operation.answers::<services::All>("The services there are.")
    });
    all.add("/api/v1/services/{id}", "get", "Who offers a service.", |operation| {
        operation
            .field("path", "id", text(), "The Service-ID.")
            .field("query", "max", json!({"type": "integer", "minimum": 1}), "At most so many.")
            .field("query", "placemark", text(), "The `placemark` of the part before.")
            .answers::<services::Providers>("A part of those who offer it.")
            .refuses(&[BAD, LARGE])
    });
    all.add("/api/v1/services/{id}", "post", "Offer a service.", |operation| {
        operation
            .field("path", "id", text(), "The Service-ID.")
            .takes::<services::Offer>(8 * 1024)
            .answers::<services::Advertised>("It is offered while this node lives.")
            .refuses(&[BAD, LARGE, FULL])
    });
    all.add("/api/v1/services/{id}", "delete", "Offer a service no more.", |operation| {
        operation
            .field("path", "id", text(), "The Service-ID.")
            .field("query", "contact", text(), "Where it was offered; it must be given.")
            .answers::<services::Withdrawn>("Whether it was offered there.")
            .refuses(&[BAD, ("403", "Somebody else offers it."), LARGE])
    });
    all.add("/api/v1/status", "get", "How the node is doing.", |operation| {
        operation.answers::<Status>("Public, and so without anything about clients.")
    });
    all.add("/api/v1/registrations", "get", "Who is registered at the node by SIP.", |operation| {
        operation
            .answers::<registrations::Registrations>("What was accepted here.")
            .tells("403", "It is told to programs on the node's own machine only.")
    });
    all.add(
        "/api/v1/session",
        "post",
        "Open a session with the overlay's passphrase.",
        |operation| {
            operation
                .takes::<session::OpenSession>(8 * 1024)
                .answers::<session::Session>("A token, to be sent with each request.")
                .tells("400", "The body says no passphrase.")
                .tells("404", "The node has none, so that no session is needed.")
                .tells("429", "Too many tries; `Retry-After` says when to try again.")
        },
    );
    let schemas = all.schemas.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "A super-node of SCOPE",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
            "description": "The JSON interface of a super-node; docs/reference/json.md introduces it."
        },
        "servers": [{"url": "http://127.0.0.1:5851"}],
        "security": [{}, {"passphrase": []}, {"session": []}],
        "paths": all.paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "passphrase": {"type": "http", "scheme": "basic"},
                "session": {"type": "http", "scheme": "bearer"}
            }
        }
    })
}

#[test]
fn the_description_is_what_is_sent() {
    let text = serde_json::to_string_pretty(&openapi()).unwrap();
    assert_page("openapi.json", &format!("{text}\n"));
}

#[test]
fn every_reference_in_it_leads_somewhere_and_every_schema_is_used() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(to)) = fields.get("$ref") {
                    found.insert(to.trim_start_matches("#/components/schemas/").to_owned());
                }
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let openapi = openapi();
    let mut found = BTreeSet::new();
    references(&openapi, &mut found);
    let schemas = openapi["components"]["schemas"].as_object().unwrap();
    assert_eq!(found, schemas.keys().cloned().collect());
}

#[test]
fn it_has_every_path_of_the_router_below_api() {
    let router = include_str!("../http/routes.rs");
    let routes =
        router.split('"').filter(|text| text.starts_with("/api/v1/") && !text.ends_with('/'));
    let described = openapi();
    for route in routes {
        assert!(described["paths"].get(route).is_some(), "{route} is not described");
    }
}
