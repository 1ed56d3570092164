//! What whoever is logged in has in the overlay ends after a week at most: when less than half of the claim's
//! life is left, any command first renews it, and everything else.

use base::Ttl;

use super::context::Context;
use super::error::CommandError;
use crate::claiming::{self, Outcome};
use crate::upkeep::PARTS;

/// What is left of a claim when it is renewed, in milliseconds.
const RENEW_AT_MS: u64 = Ttl::MAX.as_secs() * 1000 / 2;

/// Renews it, if it is time; says on standard error what did not succeed.
pub(super) async fn keep_alive(context: &mut Context<'_>) {
    match renew(context).await {
        Ok(()) => {}
        // The command itself says that nobody answers.
        Err(CommandError::Overlay(crate::OverlayError::NoNode(_))) => {}
        Err(error) => context.tell(&format!("note: your name was not renewed: {error}")),
    }
}

async fn renew(context: &mut Context<'_>) -> Result<(), CommandError> {
    let Some(mut person) = context.home().person()? else { return Ok(()) };
    let now = context.now_ms();
    if person.claimed_until_ms > now.saturating_add(RENEW_AT_MS) {
        return Ok(());
    }
    let author = context.author(person.name.clone(), person.key.clone());
    match claiming::claim(context.net(), &author, Ttl::MAX).await? {
        Outcome::Confirmed => {}
        Outcome::Pending => return Ok(()),
        Outcome::Taken(_) => {
            let text = format!("{} is somebody else's now", person.name);
            return Err(CommandError::Machine(text));
        }
    }
    let owner = context.owner(author)?;
    for part in PARTS.iter().filter(|part| part.what != "name") {
        (part.renew)(&owner).await?;
    }
    person.claimed_until_ms = now.saturating_add(Ttl::MAX.as_secs() * 1000);
    context.home().keep(&person)
}
