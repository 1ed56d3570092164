//! `whatsup here`, `who` and `call`: being here, who else is, and telephoning them.

use std::process::Command as Process;
use std::time::Duration;

use base::Name;
use serde_json::json;

use super::answer::Answer;
use super::context::Context;
use super::error::CommandError;
use super::resolve::user;
use super::table::Table;
use super::verify::{as_text, warning_of};
use crate::here::{self, Presence, RENEW_S, STATUS_MAX};
use crate::overlay::Contact;
use crate::private::Follow;
use crate::text;
use crate::verify::trust;

/// What opens an address when no program is named.
const OPENER: &str = "xdg-open";
/// Longest address that is handed to a program, in bytes.
const ADDRESS_MAX: usize = 500;

/// `whatsup here`.
#[derive(Debug, clap::Args)]
pub struct Here {
    /// What you do, in a few words, as in "at the coffee"
    #[arg(long, value_name = "TEXT")]
    pub status: Option<String>,
    /// Say it once, for a minute and a half, and end; else say it until this command ends
    #[arg(long)]
    pub once: bool,
}

/// `whatsup who`.
#[derive(Debug, clap::Args)]
pub struct Who {
    /// People whose telephones are asked for, too, beside those you follow
    pub names: Vec<String>,
}

/// `whatsup call`.
#[derive(Debug, clap::Args)]
pub struct Call {
    /// Whom: NAME or sip:NAME
    pub address: String,
    /// The telephone program that is started with the address [default: what the desktop opens sip: with]
    #[arg(long, value_name = "PROGRAM", env = "WHATSUP_SOFTPHONE", hide_env = true)]
    pub with: Option<String>,
    /// Print the address and start nothing
    #[arg(long)]
    pub print: bool,
}

pub(super) async fn here(args: Here, context: &mut Context<'_>) -> Result<Answer, CommandError> {
    let status = match args.status.as_deref().map(str::trim) {
        None | Some("") => String::new(),
        Some(status) => text::line(status, "status", STATUS_MAX)?,
    };
    let me = context.me()?;
    let name = me.name().clone();
    let owner = context.owner(me)?;
    let mut presence = Presence::new(owner.net, owner.author, owner.device);
    presence.say(&status).await?;
    let json = json!({ "name": name.as_str(), "here": true });
    if args.once {
        return Ok(Answer::done(json, format_args!("{name} is here")));
    }
    context.tell(&format!("{name} is here until you press Ctrl-C"));
    loop {
        tokio::select! {
            stopped = tokio::signal::ctrl_c() => {
                stopped.map_err(|error| CommandError::Machine(error.to_string()))?;
                presence.leave().await?;
                let json = json!({ "name": name.as_str(), "here": false });
                return Ok(Answer::done(json, format_args!("{name} is not here any more")));
            }
            () = tokio::time::sleep(Duration::from_secs(RENEW_S)) => {
                // Two of three may fail; the next time it is tried again.
                if let Err(error) = presence.say(&status).await {
                    context.tell(&format!("note: {error}"));
                }
            }
        }
    }
}

pub(super) async fn who(args: Who, context: &Context<'_>) -> Result<Answer, CommandError> {
    let kept = context.kept().await?;
    let mut others: Vec<Name> =
        args.names.iter().map(|name| Name::new(name)).collect::<Result<_, _>>()?;
    others.extend(kept.follows().filter_map(|follow| match follow {
        Follow::Person(name) => Some(name),
        Follow::Community(_) => None,
    }));
    let (present, is_all) = here::who(context.net(), &others, &kept).await?;
    let mut table = Table::new(["name", "full name", "company", "here", "phone", "status"]);
    let mut each = Vec::new();
    for one in &present {
        let (name, key) = (&one.person.name, &one.person.key);
        let profile = one.person.profile.clone().unwrap_or_default();
        let trust = trust(&kept, name, key);
        let shown = match trust {
            crate::verify::Trust::Changed => format!("{name} (KEY CHANGED)"),
            _ => name.to_string(),
        };
        let yes = |is: bool| if is { "yes" } else { "-" };
        let (here, phone) = (yes(one.sessions > 0), yes(!one.phones.is_empty()));
        table.row([&shown, &profile.full_name, &profile.company, here, phone, &one.status]);
        each.push(json!({
            "name": name.as_str(),
            "key": key.to_string(),
            "trust": as_text(trust),
            "full_name": profile.full_name,
            "company": profile.company,
            "sessions": one.sessions,
            "phones": one.phones.len(),
            "status": one.status,
        }));
    }
    let json = json!({ "people": each, "complete": is_all });
    if present.is_empty() {
        return Ok(Answer::nothing(json, "nobody is here; say that you are: whatsup here"));
    }
    let answer = Answer::done(json, table);
    Ok(match is_all {
        true => answer,
        false => answer.with_note("there are more than are shown"),
    })
}

pub(super) async fn call(args: Call, context: &mut Context<'_>) -> Result<Answer, CommandError> {
    let name = user(&args.address)?;
    let contacts = context.net().locate(name.as_str()).await?;
    let json = |address: Option<&str>, called: bool| json!({ "name": name.as_str(), "address": address, "called": called });
    if contacts.is_empty() {
        let note = format!("{name} has no telephone registered now");
        return Ok(Answer::nothing(json(None, false), note));
    }
    // What the key's owner is may matter more than the call.
    let warning = warning_of(&name, context).await?;
    let address = address(&name, &contacts);
    let with_warning = |answer: Answer| match &warning {
        Some(warning) => answer.with_note(warning),
        None => answer,
    };
    if args.print {
        return Ok(with_warning(Answer::done(json(Some(&address), false), &address)));
    }
    let program = args.with.as_deref().filter(|with| !with.is_empty()).unwrap_or(OPENER);
    // An argument, never a line for a shell.
    let status = Process::new(program).arg(&address).status().map_err(|error| {
        CommandError::Machine(format!(
            "{program} cannot be started: {error}; name a telephone program with --with, or call {address}"
        ))
    })?;
    if !status.success() {
        let text = format!("{program} ended with {status}; the address is {address}");
        return Err(CommandError::Machine(text));
    }
    Ok(with_warning(Answer::done(json(Some(&address), true), format_args!("called {address}"))))
}

/// What to call: the preferred telephone that can be reached directly, else the name, which super-nodes
/// know where to find.
fn address(name: &Name, contacts: &[Contact]) -> String {
    let direct = contacts.iter().find(|contact| contact.direct && is_plain(&contact.uri));
    direct.map_or_else(|| format!("sip:{name}@scope"), |contact| contact.uri.clone())
}

/// Whether an address, which is somebody else's text, can be handed to a program: one of SIP, without headers
/// (RFC 3261, section 19.1.5: they would do more than call), of the characters that such have.
fn is_plain(uri: &str) -> bool {
    let rest = uri.strip_prefix("sip:").or_else(|| uri.strip_prefix("sips:"));
    uri.len() <= ADDRESS_MAX
        && rest.is_some_and(|rest| {
            rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
                && rest
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.!~*+%@:;=,[]/".contains(&b))
        })
}

#[cfg(test)]
mod tests {
    use base::Lifetime;

    use super::super::testing::Person;
    use super::*;
    use crate::overlay::Memory;

    fn contact(uri: &str, direct: bool) -> Contact {
        let remaining = Lifetime::from_millis(60_000);
        Contact { uri: uri.to_owned(), q: 1000, direct, remaining }
    }

    #[tokio::test]
    async fn who_is_here_is_shown_with_their_profiles() {
        let memory = Memory::new();
        let (alice, bob) = (Person::on(&memory), Person::on(&memory));
        alice.json("login alice --guest").await;
        bob.json("login bob --guest").await;
        bob.json("profile edit --full-name Bob --company Acme").await;
        let nobody = alice.run("who").await;
        assert_eq!(nobody.code, 1);
        let said = bob.run_with(&["here", "--once", "--status", "at the coffee"], "").await;
        assert_eq!(said.out, "bob is here\n");
        assert_eq!(
            alice.run("who").await.out,
            "NAME  FULL NAME  COMPANY  HERE  PHONE  STATUS\n\
             bob   Bob        Acme     yes   -      at the coffee\n"
        );
        memory.register("alice", vec![contact("sip:alice@192.0.2.1", true)]);
        assert_eq!(bob.json("who").await["people"].as_array().unwrap().len(), 1);
        assert_eq!(bob.json("who alice").await["people"][0]["phones"], 1);
        bob.json("follow alice").await;
        assert_eq!(bob.json("who").await["people"][0]["name"], "alice");
        bob.json("block alice").await;
        assert_eq!(bob.json("who").await["people"][0]["name"], "bob");
    }

    #[tokio::test]
    async fn a_call_is_handed_to_a_program_as_one_argument() {
        let person = Person::new();
        assert_eq!(person.run("call alice --print").await.code, 1);
        person.memory.register(
            "alice",
            vec![
                contact("sip:alice@192.0.2.7;x=`reboot`", true),
                contact("sip:alice@192.0.2.8:5060;transport=tcp", true),
            ],
        );
        let printed = person.run("call sip:alice --print").await;
        assert_eq!(printed.out, "sip:alice@192.0.2.8:5060;transport=tcp\n");
        assert_eq!(person.json("call alice --with true").await["called"], true);
        let failed = person.run("call alice --with false").await;
        assert_eq!(failed.code, 3);
        let none = person.run("call alice --with /nonexistent").await;
        assert!(none.err.contains("/nonexistent cannot be started"), "{}", none.err);
        person.memory.register("bob", vec![contact("sip:bob@10.0.0.1", false)]);
        assert_eq!(person.json("call bob --print").await["address"], "sip:bob@scope");
    }

    #[test]
    fn an_address_that_would_do_more_than_call_is_not_handed_on() {
        for plain in ["sip:a@b", "sips:zo%C3%AB@192.0.2.1:5061", "sip:[2001:db8::1]:5060;ob"] {
            assert!(is_plain(plain), "{plain}");
        }
        let long = format!("sip:{}", "a".repeat(500));
        for hostile in
            ["a@b", "sip:", "sip:-x", "sip:a@b?Replaces=1", "sip:a b", "sip:a\n", "file:a", &long]
        {
            assert!(!is_plain(hostile), "{hostile}");
        }
    }
}
