//! What is put into a list.

use crate::limits::LIST_VALUE_MAX;
use crate::{EntryId, SecretTag, TooLarge, Ttl, Value};

use super::Path;

/// A plain value in a list, with a life and, if it has one, the tag of its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    value: Value,
    tag: SecretTag,
    ttl: Ttl,
}

impl Element {
    /// A value that lives for `ttl`.
    ///
    /// # Errors
    /// [`TooLarge`] above [`LIST_VALUE_MAX`] bytes.
    pub fn new(value: Value, tag: SecretTag, ttl: Ttl) -> Result<Element, TooLarge> {
        TooLarge::check("value in a list", value.as_bytes().len(), LIST_VALUE_MAX)?;
        Ok(Element { value, tag, ttl })
    }

    /// The value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The tag of its secret.
    pub fn tag(&self) -> SecretTag {
        self.tag
    }

    /// How long it lives from when it is put.
    pub fn ttl(&self) -> Ttl {
        self.ttl
    }

    /// The way it goes in a list.
    pub fn way(&self) -> Path {
        Path::of(&EntryId::of(&self.value, self.tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_at_most_as_long_as_a_value_in_a_list_may_be() {
        let of = |len| Element::new(Value::new(vec![0; len]).unwrap(), SecretTag::NONE, Ttl::MAX);
        assert!(of(LIST_VALUE_MAX).is_ok());
        let error = of(LIST_VALUE_MAX + 1).unwrap_err().to_string();
        assert_eq!(error, "the value in a list has 1025 bytes; the limit is 1024");
    }
}
