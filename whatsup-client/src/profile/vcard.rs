//! A profile as a vCard 4.0 (RFC 6350), and what of anybody's vCard, also of version 3.0, makes a profile.

use std::fmt;

use base::Name;
use calcard::vcard::{
    VCard, VCardEntry, VCardParameter, VCardProperty, VCardValue, VCardValueType, VCardVersion,
};
use calcard::{Entry, Parser};

use super::{CONTACTS_MAX, INTERESTS_MAX, Profile, contact};
use crate::text::{shortened, shown, shown_lines};

/// Longest file that is read, in bytes: photos in it may take some, and are left out.
pub const FILE_MAX: usize = 4 * 1024 * 1024;

/// What is no vCard, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAVCard {
    /// It is no text.
    #[error("the file is not UTF-8; save the vCard as UTF-8")]
    NotUtf8,
    /// There is none in it.
    #[error("there is no vCard in the file; one begins with BEGIN:VCARD and ends with END:VCARD")]
    None,
    /// There are several.
    #[error("there are {0} vCards in the file; export yours alone")]
    Several(usize),
    /// It is longer than it may be.
    #[error("the file has more than {} MiB, and no vCard needs as much", FILE_MAX >> 20)]
    TooLong,
}

/// What of a vCard was not taken, as a profile has no place for it or it is no good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The property, as `PHOTO`.
    pub property: String,
    /// Its value, shortened and safe to show; empty if it is no text.
    pub value: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.value {
            "" => f.write_str(&self.property),
            value => write!(f, "{}:{value}", self.property),
        }
    }
}

/// The vCard of somebody who has this name.
pub fn export(name: &Name, profile: &Profile) -> String {
    // What is published was checked; what is read was cleaned; this is neither's word for it.
    let profile = profile.clone().cleaned();
    let mut card = VCard::default();
    let mut add = |property, value: &str| {
        if value.is_empty() {
            return;
        }
        // Else it is taken for a text (section 6.4.1).
        let is_uri = property == VCardProperty::Tel;
        let mut entry = VCardEntry::new(property).with_value(VCardValue::Text(value.to_owned()));
        if is_uri {
            entry.add_param(VCardParameter::value(VCardValueType::Uri));
        }
        card.entries.push(entry);
    };
    // Every vCard has one (RFC 6350, section 6.2.1).
    let full_name = if profile.full_name.is_empty() { name.as_str() } else { &profile.full_name };
    add(VCardProperty::Fn, full_name);
    add(VCardProperty::Nickname, name.as_str());
    add(VCardProperty::Org, &profile.company);
    add(VCardProperty::Title, &profile.job);
    add(VCardProperty::Note, &profile.about);
    for given in &profile.contacts {
        match given.split_once(':') {
            Some(("mailto", address)) => add(VCardProperty::Email, address),
            Some(("tel", _)) => add(VCardProperty::Tel, given),
            Some(("sip" | "sips", _)) => add(VCardProperty::Impp, given),
            _ => add(VCardProperty::Url, given),
        }
    }
    add(VCardProperty::Impp, &format!("sip:{name}@scope"));
    if !profile.interests.is_empty() {
        let interests = profile.interests.into_iter().map(VCardValue::Text).collect();
        card.entries.push(VCardEntry::new(VCardProperty::Categories).with_values(interests));
    }
    let mut text = String::new();
    // Writing to a text does not fail.
    let _ = card.write_to(&mut text, VCardVersion::V4_0);
    text
}

/// The profile that the one vCard of a file makes, its keys empty, and what of it was left out.
///
/// # Errors
/// [`NotAVCard`] says what to do.
pub fn import(file: &[u8]) -> Result<(Profile, Vec<LeftOut>), NotAVCard> {
    if file.len() > FILE_MAX {
        return Err(NotAVCard::TooLong);
    }
    let text = std::str::from_utf8(file).map_err(|_| NotAVCard::NotUtf8)?;
    let text = text.trim_start_matches('\u{feff}');
    let mut parser = Parser::new(text);
    let mut cards = Vec::new();
    loop {
        match parser.entry() {
            Entry::VCard(card) => cards.push(card),
            Entry::Eof => break,
            _ => {}
        }
    }
    match &cards[..] {
        [] => Err(NotAVCard::None),
        [card] => Ok(profile(card)),
        several => Err(NotAVCard::Several(several.len())),
    }
}

fn profile(card: &VCard) -> (Profile, Vec<LeftOut>) {
    let mut profile = Profile::default();
    let mut left_out = Vec::new();
    for entry in &card.entries {
        if !take(&mut profile, entry) {
            let value = entry.values.first().and_then(VCardValue::as_text).unwrap_or_default();
            let property = shown(entry.name.as_str()).into_owned();
            left_out.push(LeftOut { property, value: shortened(&shown(value), 60).into_owned() });
        }
    }
    (profile.cleaned(), left_out)
}

/// Whether a property was taken, or says nothing that is missed.
fn take(profile: &mut Profile, entry: &VCardEntry) -> bool {
    let texts: Vec<&str> = entry.values.iter().filter_map(VCardValue::as_text).collect();
    let first = texts.first().copied().unwrap_or_default();
    match entry.name {
        VCardProperty::Fn => once(&mut profile.full_name, shown(first).trim().to_owned()),
        // The company, and its parts from the largest to the smallest (section 6.6.4).
        VCardProperty::Org => {
            once(&mut profile.company, shown(&texts.join(", ")).trim().to_owned())
        }
        VCardProperty::Title => once(&mut profile.job, shown(first).trim().to_owned()),
        VCardProperty::Note => once(&mut profile.about, shown_lines(first).trim().to_owned()),
        VCardProperty::Categories | VCardProperty::Other(_)
            if entry.name == VCardProperty::Categories || is_interests(entry) =>
        {
            let words = texts.iter().map(|word| shown(word).trim().to_owned());
            profile.interests.extend(words.filter(|word| !word.is_empty()));
            profile.interests.len() <= INTERESTS_MAX
        }
        VCardProperty::Email => reached(&mut profile.contacts, &with_scheme("mailto:", first)),
        VCardProperty::Tel => reached(&mut profile.contacts, &with_scheme("tel:", first)),
        VCardProperty::Url | VCardProperty::Impp => reached(&mut profile.contacts, first),
        VCardProperty::Version
        | VCardProperty::Begin
        | VCardProperty::End
        | VCardProperty::N
        | VCardProperty::Nickname
        | VCardProperty::Prodid
        | VCardProperty::Rev
        | VCardProperty::Uid => true,
        _ => false,
    }
}

/// Of several the first is taken.
fn once(field: &mut String, value: String) -> bool {
    let is_free = field.is_empty();
    if is_free {
        *field = value;
    }
    is_free
}

fn reached(contacts: &mut Vec<String>, given: &str) -> bool {
    let Ok(given) = contact(given) else { return false };
    // Everybody has one here, and export adds it.
    if given.starts_with("sip:") && given.ends_with("@scope") {
        return true;
    }
    let is_room = contacts.len() < CONTACTS_MAX;
    if is_room {
        contacts.push(given);
    }
    is_room
}

/// What older programs call their owner's interests (RFC 6715, section 2.2, has another).
fn is_interests(entry: &VCardEntry) -> bool {
    let name = entry.name.as_str();
    ["INTEREST", "HOBBY", "EXPERTISE"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn with_scheme(scheme: &str, value: &str) -> String {
    let value = value.trim();
    match value.get(..scheme.len()) {
        Some(start) if start.eq_ignore_ascii_case(scheme) => value.to_owned(),
        _ => format!("{scheme}{value}"),
    }
}

#[cfg(test)]
mod tests;
