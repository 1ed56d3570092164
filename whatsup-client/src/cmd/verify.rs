//! `whatsup verify`: whether a key is really that of whoever stands before one.

use base::{Name, PublicKey};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::json;

use super::answer::Answer;
use super::context::Context;
use super::error::CommandError;
use super::table::Table;
use crate::verify::{self, Code, Trust};

/// `whatsup verify`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").multiple(false))]
pub struct Args {
    /// Who stands before you; without it, whom you have verified is listed
    pub name: Option<String>,

    /// Say that the words are the same at both of you
    #[arg(long, requires = "name", group = "what")]
    pub same: bool,

    /// Compare with the code that they show, as read from their QR code
    #[arg(long, value_name = "CODE", requires = "name", group = "what")]
    pub code: Option<String>,

    /// Forget that you verified them, as when they have lost their key
    #[arg(long, requires = "name", group = "what")]
    pub forget: bool,
}

pub(super) async fn run(args: Args, context: &mut Context<'_>) -> Result<Answer, CommandError> {
    let me = context.me()?;
    let private = context.private()?;
    let Some(name) = &args.name else { return list(context).await };
    let name = Name::new(name)?;
    if args.forget {
        let found = private.read().await?.verified(&name).is_some();
        private.verify(&name, None).await?;
        let json = json!({ "name": name.as_str(), "forgotten": found });
        return Ok(match found {
            true => Answer::done(json, format_args!("{name} is not verified any more")),
            false => Answer::nothing(json, format_args!("{name} was not verified")),
        });
    }
    let Some(key) = context.holder(&name).await? else {
        let json = json!({ "name": name.as_str(), "key": null });
        return Ok(Answer::nothing(json, format_args!("nobody has the name {name}")));
    };
    let json =
        |trust: &str| json!({ "name": name.as_str(), "key": key.to_string(), "trust": trust });
    let is_right = match &args.code {
        Some(code) => {
            let code: Code = code
                .parse()
                .map_err(|error: verify::NotACode| CommandError::Usage(error.to_string()))?;
            if code.name != name {
                let text = format!("that is the code of {}, not of {name}", code.name);
                return Err(CommandError::Usage(text));
            }
            if code.key != key {
                let note = format!(
                    "THE KEYS DIFFER: who has the name {name} in the overlay is not who showed you this \
                     code. Do not trust what is said in that name."
                );
                return Ok(Answer::nothing(json("different"), note));
            }
            true
        }
        None => args.same,
    };
    if is_right {
        private.verify(&name, Some(&key)).await?;
        return Ok(Answer::done(json("verified"), format_args!("{name} is verified")));
    }
    let words = verify::words(&me.public(), &key);
    let own = Code { name: me.name().clone(), key: me.public() };
    let trust = verify::trust(&private.read().await?, &name, &key);
    let mut json = json(as_text(trust));
    json["words"] = words.to_vec().into();
    json["code"] = own.to_string().into();
    let mut people = format!("  {}\n\n", words.join("  "));
    people += &qr_code(&own.to_string());
    people += &format!("{own}\n");
    let mut answer = Answer::done(json, people).with_note(format_args!(
        "Do both of you see the same six words? {name} sees them with: whatsup verify {}\n\
         If so: whatsup verify {name} --same\n\
         The square is your own key, for a camera.",
        me.name()
    ));
    if let Some(warning) = warning(trust, &name) {
        answer = answer.with_note(warning);
    }
    Ok(answer)
}

/// Black on white whatever the terminal's colours. Empty for a text too long, which no key and name are.
fn qr_code(text: &str) -> String {
    const BLACK_ON_WHITE: &str = "\x1b[38;5;16;48;5;231m";
    const RESET: &str = "\x1b[0m";
    let Ok(code) = QrCode::new(text) else { return String::new() };
    let image = code.render::<Dense1x2>().build();
    image.lines().map(|line| format!("{BLACK_ON_WHITE}{line}{RESET}\n")).collect()
}

async fn list(context: &Context<'_>) -> Result<Answer, CommandError> {
    let kept = context.private()?.read().await?;
    let verified: Vec<(Name, PublicKey)> = kept.all_verified().collect();
    let names: Vec<Name> = verified.iter().map(|(name, _)| name.clone()).collect();
    let mut table = Table::new(["name", "fingerprint", "now"]);
    let mut each = Vec::new();
    let mut changed = Vec::new();
    for ((name, key), now) in verified.iter().zip(context.net().holders(&names).await) {
        let state = match now? {
            Some(now) if now == *key => "verified",
            Some(_) => "CHANGED",
            None => "not there",
        };
        if state == "CHANGED" {
            changed.push(name);
        }
        let fingerprint = key.fingerprint().to_string();
        table.row([name.as_str(), &fingerprint, state]);
        let state = state.to_lowercase();
        each.push(json!({ "name": name.as_str(), "key": key.to_string(), "now": state }));
    }
    let json = json!({ "verified": each });
    if verified.is_empty() {
        return Ok(Answer::nothing(json, "you have verified nobody yet"));
    }
    let answer = Answer::done(json, table);
    Ok(changed.iter().fold(answer, |answer, name| match warning(Trust::Changed, name) {
        Some(warning) => answer.with_note(warning),
        None => answer,
    }))
}

/// As programs read it.
pub(super) const fn as_text(trust: Trust) -> &'static str {
    match trust {
        Trust::Unverified => "unverified",
        Trust::Verified => "verified",
        Trust::Changed => "changed",
    }
}

/// A warning, if whoever has this name now has another key than the one that was verified. Asks only of who
/// was.
pub(super) async fn warning_of(
    name: &Name,
    context: &Context<'_>,
) -> Result<Option<String>, CommandError> {
    let kept = context.kept().await?;
    if kept.verified(name).is_none() {
        return Ok(None);
    }
    let Some(key) = context.holder(name).await? else { return Ok(None) };
    Ok(warning(verify::trust(&kept, name, &key), name))
}

/// What has to be said of somebody whose key is another than the one that was verified.
pub(super) fn warning(trust: Trust, name: &Name) -> Option<String> {
    (trust == Trust::Changed).then(|| {
        format!(
            "WARNING: THE KEY OF {name} HAS CHANGED since you verified it. It may be somebody else. Meet and \
             compare again: whatsup verify {name}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Person;
    use crate::overlay::Memory;

    #[tokio::test]
    async fn two_who_meet_verify_each_other_and_a_changed_key_is_shouted() {
        let memory = Memory::new();
        let (alice, bob) = (Person::on(&memory), Person::on(&memory));
        alice.json("login alice --guest").await;
        bob.json("login bob --guest").await;
        let seen = alice.json("verify bob").await;
        assert_eq!(seen["words"], bob.json("verify alice").await["words"]);
        assert_eq!(seen["trust"], "unverified");
        assert_eq!(alice.run("verify").await.code, 1);
        assert_eq!(alice.run("verify bob --same").await.out, "bob is verified\n");
        assert_eq!(alice.json("verify bob").await["trust"], "verified");
        let code = seen["code"].as_str().unwrap().to_owned();
        assert_eq!(bob.run(&format!("verify alice --code {code}")).await.code, 0);
        assert_eq!(bob.run(&format!("verify bob --code {code}")).await.code, 2);
        assert!(!alice.run("profile show bob").await.err.contains("CHANGED"));

        bob.run("logout").await;
        let mallory = Person::on(&memory);
        mallory.json("login bob --guest").await;
        for line in ["verify bob", "verify", "profile show bob", "resolve bob"] {
            let ran = alice.run(line).await;
            assert!(ran.err.contains("THE KEY OF bob HAS CHANGED"), "{line}: {}", ran.err);
        }
        let false_bob = mallory.json("verify alice").await["code"].as_str().unwrap().to_owned();
        let other = false_bob.replace("bob", "alice");
        let ran = mallory.run(&format!("verify alice --code {other}")).await;
        assert_eq!(ran.code, 1);
        assert!(ran.err.starts_with("THE KEYS DIFFER"), "{}", ran.err);
        assert_eq!(alice.run("verify bob --forget").await.code, 0);
        assert!(!alice.run("profile show bob").await.err.contains("CHANGED"));
        assert_eq!(alice.run("verify nobody").await.code, 1);
    }
}
