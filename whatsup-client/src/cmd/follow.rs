//! `whatsup follow` and `unfollow`: whose posts are in one's feed.

use base::Name;
use serde_json::json;

use super::answer::Answer;
use super::context::Context;
use super::error::CommandError;
use super::table::Table;
use crate::private::Follow;

/// `whatsup follow`.
#[derive(Debug, clap::Args)]
pub struct FollowArgs {
    /// Whom; without names, what you follow is listed
    pub names: Vec<String>,
}

/// `whatsup unfollow`.
#[derive(Debug, clap::Args)]
pub struct UnfollowArgs {
    /// Whom
    #[arg(required = true)]
    pub names: Vec<String>,
}

pub(super) async fn follow(
    args: FollowArgs,
    context: &Context<'_>,
) -> Result<Answer, CommandError> {
    let private = context.private()?;
    if args.names.is_empty() {
        let kept = private.read().await?;
        let mut table = Table::new(["what", "who"]);
        let mut each = Vec::new();
        for follow in kept.follows() {
            let (what, who) = match follow {
                Follow::Person(name) => ("person", name.to_string()),
                Follow::Community(id) => ("community", id.to_string()),
            };
            table.row([what, &who]);
            each.push(json!({ what: who }));
        }
        let is_empty = each.is_empty();
        let json = json!({ "follows": each });
        return Ok(match is_empty {
            true => Answer::nothing(json, "you follow nobody"),
            false => Answer::done(json, table),
        });
    }
    let names = names(&args.names)?;
    let mut followed = Vec::new();
    let mut missing = Vec::new();
    for (name, holder) in names.iter().zip(context.net().holders(&names).await) {
        match holder? {
            Some(_) => followed.push(name.as_str()),
            None => missing.push(name.as_str()),
        }
    }
    for name in &names {
        if followed.contains(&name.as_str()) {
            private.follow(&Follow::Person(name.clone())).await?;
        }
    }
    let json = json!({ "followed": followed, "missing": missing });
    let note = format!("nobody has the name {}", missing.join(", "));
    let people = format!("you follow {}", followed.join(", "));
    Ok(match (&followed[..], &missing[..]) {
        ([], _) => Answer::nothing(json, note),
        (_, []) => Answer::done(json, people),
        _ => Answer::done(json, people).with_note(note),
    })
}

pub(super) async fn unfollow(
    args: UnfollowArgs,
    context: &Context<'_>,
) -> Result<Answer, CommandError> {
    let private = context.private()?;
    let kept = private.read().await?;
    let mut unfollowed = Vec::new();
    for name in names(&args.names)? {
        let follow = Follow::Person(name.clone());
        if kept.is_followed(&follow) {
            private.unfollow(&follow).await?;
            unfollowed.push(name.to_string());
        }
    }
    let json = json!({ "unfollowed": unfollowed });
    Ok(match &unfollowed[..] {
        [] => Answer::nothing(json, "you followed none of them"),
        all => Answer::done(json, format_args!("you do not follow {} any more", all.join(", "))),
    })
}

fn names(given: &[String]) -> Result<Vec<Name>, CommandError> {
    Ok(given.iter().map(|name| Name::new(name)).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Person;
    use crate::overlay::Memory;

    #[tokio::test]
    async fn people_are_followed_and_not() {
        let memory = Memory::new();
        let (alice, bob) = (Person::on(&memory), Person::on(&memory));
        alice.json("login alice --guest").await;
        bob.json("login bob --guest").await;
        assert_eq!(alice.run("follow").await.code, 1);
        let ran = alice.run("follow Bob nobody").await;
        assert_eq!((&*ran.out, &*ran.err), ("you follow bob\n", "nobody has the name nobody\n"));
        assert_eq!(alice.run("follow nobody").await.code, 1);
        assert_eq!(alice.json("follow").await["follows"][0]["person"], "bob");
        assert_eq!(alice.run("unfollow bob").await.out, "you do not follow bob any more\n");
        assert_eq!(alice.run("unfollow bob").await.code, 1);
    }
}
