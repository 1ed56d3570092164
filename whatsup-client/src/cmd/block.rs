//! `whatsup block` and `unblock`: whose things one does not want to see, anywhere.

use base::{Name, PublicKey};
use serde_json::json;

use super::answer::Answer;
use super::context::Context;
use super::error::CommandError;
use super::table::Table;

/// `whatsup block`.
#[derive(Debug, clap::Args)]
pub struct Block {
    /// Whom; without a name, whom you block is listed
    pub name: Option<String>,
}

/// `whatsup unblock`.
#[derive(Debug, clap::Args)]
pub struct Unblock {
    /// Whom: the name they had when you blocked them, or their fingerprint
    pub who: String,
}

pub(super) async fn block(args: Block, context: &Context<'_>) -> Result<Answer, CommandError> {
    let private = context.private()?;
    let Some(name) = args.name else {
        let kept = private.read().await?;
        let mut table = Table::new(["name", "fingerprint"]);
        let mut blocks = Vec::new();
        for (key, name) in kept.blocks() {
            let fingerprint = key.fingerprint().to_string();
            table.row([&name, &fingerprint]);
            blocks
                .push(json!({ "name": name, "key": key.to_string(), "fingerprint": fingerprint }));
        }
        let is_empty = blocks.is_empty();
        let json = json!({ "blocks": blocks });
        return Ok(match is_empty {
            true => Answer::nothing(json, "you block nobody"),
            false => Answer::done(json, table),
        });
    };
    let name = Name::new(&name)?;
    let json = |key: Option<&PublicKey>| json!({ "name": name.as_str(), "blocked": key.map(ToString::to_string) });
    let Some(key) = context.holder(&name).await? else {
        return Ok(Answer::nothing(json(None), format_args!("nobody has the name {name}")));
    };
    if key == context.me()?.public() {
        return Err(CommandError::Usage("that is you".to_owned()));
    }
    private.block(&key, &name).await?;
    Ok(Answer::done(json(Some(&key)), format_args!("{name} is blocked")))
}

pub(super) async fn unblock(args: Unblock, context: &Context<'_>) -> Result<Answer, CommandError> {
    let private = context.private()?;
    let kept = private.read().await?;
    let name = Name::new(&args.who).ok();
    let is_meant = |(key, blocked): &(PublicKey, String)| {
        name.as_ref().is_some_and(|name| name.as_str() == blocked)
            || key.fingerprint().to_string() == args.who
            || key.to_string() == args.who
    };
    let meant: Vec<(PublicKey, String)> = kept.blocks().filter(is_meant).collect();
    for (key, _) in &meant {
        private.unblock(key).await?;
    }
    let keys: Vec<String> = meant.iter().map(|(key, _)| key.to_string()).collect();
    let json = json!({ "unblocked": keys });
    let who = crate::text::shown(&args.who);
    Ok(match &meant[..] {
        [] => Answer::nothing(json, format_args!("you do not block {who}")),
        _ => Answer::done(json, format_args!("{who} is not blocked any more")),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Person;
    use crate::overlay::Memory;

    #[tokio::test]
    async fn a_block_is_of_the_key_and_outlives_the_name() {
        let memory = Memory::new();
        let (alice, bob) = (Person::on(&memory), Person::on(&memory));
        alice.json("login alice --guest").await;
        let key = bob.json("login bob --guest").await["key"].clone();
        assert_eq!(alice.run("block").await.err, "you block nobody\n");
        assert_eq!(alice.run("block nobody").await.code, 1);
        assert_eq!(alice.run("block alice").await.code, 2);
        assert_eq!(alice.json("block bob").await["blocked"], key);
        bob.run("logout").await;
        let blocks = alice.json("block").await;
        assert_eq!(
            (&blocks["blocks"][0]["name"], &blocks["blocks"][0]["key"]),
            (&"bob".into(), &key)
        );
        assert_eq!(alice.run("unblock carol").await.code, 1);
        assert_eq!(alice.run("unblock Bob").await.out, "Bob is not blocked any more\n");
        assert_eq!(alice.run("block").await.code, 1);
    }
}
