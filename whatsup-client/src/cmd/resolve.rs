//! `whatsup resolve`: where somebody can be called, by a get alone.

use base::Name;
use serde_json::{Value as Json, json};

use super::answer::Answer;
use super::context::Context;
use super::error::CommandError;
use super::table::Table;
use super::verify;
use crate::overlay::Contact;

/// `whatsup resolve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whom: sip:NAME, sip:NAME@scope or just NAME
    pub address: String,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Answer, CommandError> {
    let user = user(&args.address)?;
    let contacts = context.net().locate(user.as_str()).await?;
    let each: Vec<Json> = contacts.iter().map(as_json).collect();
    let json = json!({ "address": format!("sip:{user}@scope"), "contacts": each });
    let answer = if contacts.is_empty() {
        Answer::nothing(json, format_args!("sip:{user} is registered nowhere"))
    } else {
        Answer::done(json, table(&contacts))
    };
    Ok(match verify::warning_of(&user, context).await? {
        Some(warning) => answer.with_note(warning),
        None => answer,
    })
}

fn table(contacts: &[Contact]) -> Table {
    let mut table = Table::new(["contact", "preference", "reached", "left"]);
    for contact in contacts {
        let Contact { uri, q, direct, remaining } = contact;
        let preference = format!("{}.{:03}", q / 1000, q % 1000);
        let reached = if *direct { "directly" } else { "through its super-node" };
        let left = format!("{} s", remaining.as_secs_rounded_up());
        table.row([uri, &*preference, reached, &*left]);
    }
    table
}

/// The user of a SIP address.
pub(super) fn user(address: &str) -> Result<Name, CommandError> {
    let rest = match address.split_once(':') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("sip") => rest,
        None => address,
        Some(_) => {
            let text = format!("{} is no SIP address; write sip:NAME", crate::text::shown(address));
            return Err(CommandError::Usage(text));
        }
    };
    let user = rest.split_once('@').map_or(rest, |(user, _)| user);
    Ok(Name::new(user)?)
}

fn as_json(contact: &Contact) -> Json {
    let Contact { uri, q, direct, remaining } = contact;
    let preference = f64::from(*q) / 1000.0;
    let left = remaining.as_secs_rounded_up();
    json!({ "uri": uri, "q": preference, "direct": direct, "remaining_s": left })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Person;
    use super::*;
    use base::Lifetime;

    #[tokio::test]
    async fn an_address_is_resolved_by_one_ask() {
        let person = Person::new();
        let uri = "sip:alice@192.0.2.7:5060".to_owned();
        let remaining = Lifetime::from_millis(59_001);
        person.memory.register("alice", vec![Contact { uri, q: 1000, direct: true, remaining }]);
        let before = person.memory.asks();
        let found = person.run("resolve sip:Alice@scope").await;
        assert_eq!(person.memory.asks() - before, 1);
        assert_eq!(
            found.out,
            "CONTACT                   PREFERENCE  REACHED   LEFT\n\
             sip:alice@192.0.2.7:5060  1.000       directly  60 s\n"
        );
        let json = person.json("resolve alice").await;
        assert_eq!(json["contacts"][0]["remaining_s"], 60);
        let nobody = person.run("resolve bob").await;
        assert_eq!((nobody.code, &*nobody.err), (1, "sip:bob is registered nowhere\n"));
        assert_eq!(person.run("resolve mailto:bob").await.code, 2);
    }
}
