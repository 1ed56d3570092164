//! A call's parameters, taken in order and turned into what the method wants. Every fault names
//! the parameter by its number and its name in the method's table.

use base::{Key, Name, NameError, NotAServiceId, Secret, ServiceId, Ttl, Value};
use bytes::Bytes;

use super::Fault;
use super::table::Method;
use crate::location;
use crate::services::Contact;

/// The parameters not taken yet.
#[derive(Debug)]
pub(super) struct Params {
    method: &'static Method,
    rest: std::vec::IntoIter<dxr::Value>,
    taken: usize,
}

impl Params {
    /// Refuses a number of parameters the method does not take.
    pub(super) fn new(method: &'static Method, values: Vec<dxr::Value>) -> Result<Params, Fault> {
        let (given, most, least) = (values.len(), method.params.len(), method.required);
        if (least..=most).contains(&given) {
            return Ok(Params { method, rest: values.into_iter(), taken: 0 });
        }
        let names: Vec<&str> = method.params.iter().map(|(name, _)| *name).collect();
        let wanted = if least == most { most.to_string() } else { format!("{least} to {most}") };
        Err(Fault::BadParameters(format!(
            "{} takes {wanted} parameters ({}); {given} were given",
            method.name,
            names.join(", ")
        )))
    }

    /// The next parameter if it was given; nil counts as not given.
    fn next(&mut self) -> Option<dxr::Value> {
        self.taken += 1;
        self.rest.next().filter(|value| !matches!(value, dxr::Value::Nil))
    }

    /// The fault of the parameter taken last.
    pub(super) fn bad(&self, what: &str) -> Fault {
        Fault::BadParameters(format!("{} {what}", self.name()))
    }

    fn too_large(&self, len: usize, max: usize) -> Fault {
        Fault::TooLarge(format!("{} has {len} bytes; the limit is {max}", self.name()))
    }

    fn name(&self) -> String {
        let name = self.method.params.get(self.taken - 1).map_or("", |(name, _)| name);
        format!("parameter {} ({name})", self.taken)
    }

    fn given<T>(&self, value: Option<T>) -> Result<T, Fault> {
        value.ok_or_else(|| self.bad("is missing"))
    }

    /// Bytes, given as base64 or as a string, if given.
    pub(super) fn optional_bytes(&mut self) -> Result<Option<Bytes>, Fault> {
        match self.next() {
            None => Ok(None),
            Some(dxr::Value::Base64(bytes)) => Ok(Some(bytes.into())),
            Some(dxr::Value::String(text)) => Ok(Some(text.into_bytes().into())),
            Some(other) => {
                Err(self.bad(&format!("must be base64 or a string, not {}", kind(&other))))
            }
        }
    }

    /// At most `max` bytes.
    pub(super) fn bytes(&mut self, max: usize) -> Result<Bytes, Fault> {
        let bytes = self.optional_bytes()?;
        let bytes = self.given(bytes)?;
        if bytes.len() > max { Err(self.too_large(bytes.len(), max)) } else { Ok(bytes) }
    }

    /// Exactly a SHA-1.
    pub(super) fn sha1(&mut self) -> Result<[u8; 20], Fault> {
        let bytes = self.optional_bytes()?;
        let bytes = self.given(bytes)?;
        let sha1 = bytes.as_ref().try_into();
        sha1.map_err(|_| self.bad("must be a SHA-1, of 20 bytes"))
    }

    /// A number, if given.
    pub(super) fn optional_int(&mut self) -> Result<Option<i64>, Fault> {
        match self.next() {
            None => Ok(None),
            Some(dxr::Value::Integer(number)) => Ok(Some(number.into())),
            Some(dxr::Value::Long(number)) => Ok(Some(number)),
            Some(other) => Err(self.bad(&format!("must be an int, not {}", kind(&other)))),
        }
    }

    /// A number.
    pub(super) fn int(&mut self) -> Result<i64, Fault> {
        let number = self.optional_int()?;
        self.given(number)
    }

    /// A number of values to return, at least 1, if given.
    pub(super) fn optional_max(&mut self) -> Result<Option<usize>, Fault> {
        match self.optional_int()? {
            None => Ok(None),
            Some(max) if max >= 1 => Ok(Some(usize::try_from(max).unwrap_or(usize::MAX))),
            Some(_) => Err(self.bad("must be at least 1")),
        }
    }

    /// A ttl within the overlay's limits, if given.
    pub(super) fn optional_ttl(&mut self) -> Result<Option<Ttl>, Fault> {
        let Some(seconds) = self.optional_int()? else { return Ok(None) };
        let ttl = Ttl::from_secs(seconds);
        ttl.map(Some).map_err(|error| Fault::BadParameters(format!("{}: {error}", self.name())))
    }

    /// A key of at most `max` bytes.
    pub(super) fn key(&mut self, max: usize) -> Result<base::Key, Fault> {
        Ok(base::Key::new(self.bytes(max)?)?)
    }

    /// A value of at most `max` bytes.
    pub(super) fn value(&mut self, max: usize) -> Result<Value, Fault> {
        Ok(Value::new(self.bytes(max)?)?)
    }

    /// A secret; not given and empty are none.
    pub(super) fn optional_secret(&mut self) -> Result<Option<Secret>, Fault> {
        let Some(bytes) = self.optional_bytes()?.filter(|bytes| !bytes.is_empty()) else {
            return Ok(None);
        };
        let len = bytes.len();
        Secret::new(bytes).map(Some).map_err(|error| self.too_large(len, error.max))
    }

    /// The name of a service, if given.
    fn optional_service(&mut self) -> Result<Option<ServiceId>, Fault> {
        let Some(bytes) = self.optional_bytes()? else { return Ok(None) };
        ServiceId::from_bytes(&bytes).map(Some).map_err(|error| {
            let text = format!("{}: {error}", self.name());
            match error {
                NotAServiceId::TooLong(_) => Fault::TooLarge(text),
                _ => Fault::BadParameters(text),
            }
        })
    }

    /// The name of a service.
    pub(super) fn service(&mut self) -> Result<ServiceId, Fault> {
        let service = self.optional_service()?;
        self.given(service)
    }

    /// A key that was taken before, in the service that is named next, if one is.
    pub(super) fn in_service(&mut self, key: Key) -> Result<Key, Fault> {
        match self.optional_service()? {
            None => Ok(key),
            // Where people are is theirs to know who look for them, and super-nodes' to say.
            Some(service) if service.as_str() == location::SERVICE => {
                Err(self.bad("may not be P2PSIP: its keys are the super-nodes' own; for who offers it there is scope.lookup"))
            }
            Some(service) => Ok(Key::in_service(&service, key.as_bytes().to_vec())?),
        }
    }

    /// An address of a provider.
    pub(super) fn contact(&mut self) -> Result<Contact, Fault> {
        let bytes = self.optional_bytes()?;
        let contact = Contact::from_bytes(&self.given(bytes)?);
        contact.map_err(|error| Fault::BadParameters(format!("{}: {error}", self.name())))
    }

    /// A name of a person.
    pub(super) fn name_of_person(&mut self) -> Result<Name, Fault> {
        let bytes = self.optional_bytes()?;
        Name::from_bytes(&self.given(bytes)?).map_err(|error| {
            let text = format!("{}: {error}", self.name());
            match error {
                NameError::TooLong { .. } => Fault::TooLarge(text),
                _ => Fault::BadParameters(text),
            }
        })
    }

    /// A text.
    pub(super) fn text(&mut self) -> Result<String, Fault> {
        match self.next() {
            Some(dxr::Value::String(text)) => Ok(text),
            Some(other) => Err(self.bad(&format!("must be a string, not {}", kind(&other)))),
            None => Err(self.bad("is missing")),
        }
    }
}

/// The name of a value's type, as in XML.
fn kind(value: &dxr::Value) -> &'static str {
    match value {
        dxr::Value::Integer(_) => "int",
        dxr::Value::Long(_) => "i8",
        dxr::Value::Boolean(_) => "boolean",
        dxr::Value::String(_) => "string",
        dxr::Value::Double(_) => "double",
        dxr::Value::DateTime(_) => "dateTime.iso8601",
        dxr::Value::Base64(_) => "base64",
        dxr::Value::Struct(_) => "struct",
        dxr::Value::Array(_) => "array",
        _ => "nil",
    }
}
