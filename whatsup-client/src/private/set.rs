//! [`Set`]: what a person keeps for herself, as each of her devices changes it. Two that changed it without
//! knowing of each other merge to the same, in whatever order: of each element the last change counts.

use std::collections::BTreeMap;

use prost::Message;

/// Longest set, encoded, in bytes: what a value takes, with room for the seal and its padding.
pub(super) const SET_MAX: usize = 60 * 1024;

/// A map each element of which was put or removed by its last change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Set(BTreeMap<Vec<u8>, Change>);

/// The last change of an element.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    /// Above that of every change the device had seen: who undoes something has the last word.
    clock: u64,
    /// What the element is now; nothing if it was removed. Of two changes that did not know of each other,
    /// and have one clock, what is there counts before what was removed.
    value: Option<Vec<u8>>,
}

/// A set that has no room for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the list is full; take somebody off it first")]
pub struct Full;

/// The bytes of a set.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SetBody {
    #[prost(message, repeated, tag = "1")]
    elements: Vec<ElementBody>,
}

#[derive(Clone, PartialEq, Message)]
struct ElementBody {
    #[prost(bytes = "vec", tag = "1")]
    id: Vec<u8>,
    #[prost(uint64, tag = "2")]
    clock: u64,
    #[prost(bytes = "vec", optional, tag = "3")]
    value: Option<Vec<u8>>,
}

impl Set {
    /// What an element is, if it is there.
    pub fn get(&self, id: &[u8]) -> Option<&[u8]> {
        self.0.get(id)?.value.as_deref()
    }

    /// All that are there, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().filter_map(|(id, change)| Some((&id[..], change.value.as_deref()?)))
    }

    /// Puts an element, in place of what it was, or removes it; whether that changes anything.
    pub(super) fn change(&mut self, id: &[u8], value: Option<Vec<u8>>) -> bool {
        if self.get(id) == value.as_deref() {
            return false;
        }
        let clock = self.0.values().map(|change| change.clock).max().unwrap_or(0).saturating_add(1);
        self.0.insert(id.to_vec(), Change { clock, value });
        true
    }

    /// Takes in what another device has.
    pub(super) fn merge(&mut self, other: Set) {
        for (id, change) in other.0 {
            match self.0.entry(id) {
                std::collections::btree_map::Entry::Vacant(vacant) => {
                    vacant.insert(change);
                }
                std::collections::btree_map::Entry::Occupied(mut held) => {
                    if *held.get() < change {
                        held.insert(change);
                    }
                }
            }
        }
    }

    /// The set's bytes. Removals that are longest ago are forgotten when there is no room for all.
    pub(super) fn encode(&self) -> Result<SetBody, Full> {
        let mut left = SET_MAX;
        let mut body = SetBody::default();
        let size = |element: &ElementBody| element.encoded_len() + 4;
        let all = self.0.iter().map(|(id, Change { clock, value })| {
            let (id, value) = (id.clone(), value.clone());
            ElementBody { id, clock: *clock, value }
        });
        let (there, mut removed): (Vec<_>, Vec<_>) = all.partition(|e| e.value.is_some());
        for element in there {
            left = left.checked_sub(size(&element)).ok_or(Full)?;
            body.elements.push(element);
        }
        removed.sort_by_key(|element| std::cmp::Reverse(element.clock));
        for element in removed {
            let Some(less) = left.checked_sub(size(&element)) else { break };
            left = less;
            body.elements.push(element);
        }
        Ok(body)
    }
}

impl From<SetBody> for Set {
    fn from(body: SetBody) -> Set {
        let mut set = Set::default();
        for ElementBody { id, clock, value } in body.elements {
            set.merge(Set(BTreeMap::from([(id, Change { clock, value })])));
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Change { device: usize, id: u8, value: Option<u8> },
        Hear { device: usize, of: usize },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..3usize, 0..4u8, any::<Option<u8>>()).prop_map(|(device, id, value)| Step::Change {
                device,
                id,
                value
            }),
            (0..3usize, 0..3usize).prop_map(|(device, of)| Step::Hear { device, of }),
        ]
    }

    proptest! {
        #[test]
        fn devices_that_hear_of_each_other_in_any_order_have_the_same(
            steps in proptest::collection::vec(step(), 0..40),
        ) {
            let mut devices = vec![Set::default(); 3];
            for step in steps {
                match step {
                    Step::Change { device, id, value } => {
                        let value = value.map(|value| vec![value]);
                        devices[device].change(&[id], value.clone());
                        prop_assert_eq!(devices[device].get(&[id]), value.as_deref());
                    }
                    Step::Hear { device, of } => {
                        let other = devices[of].clone();
                        devices[device].merge(other);
                    }
                }
            }
            let merged = |order: [usize; 4]| {
                let mut all = Set::default();
                order.iter().for_each(|at| all.merge(devices[*at].clone()));
                all
            };
            let one = merged([0, 1, 2, 0]);
            for order in [[2, 1, 0, 0], [1, 1, 2, 0], [0, 2, 1, 2]] {
                prop_assert_eq!(&merged(order), &one);
            }
            prop_assert_eq!(&Set::from(one.encode().unwrap()), &one);
        }
    }

    #[test]
    fn who_saw_a_change_and_undoes_it_has_the_last_word() {
        let (mut phone, mut laptop) = (Set::default(), Set::default());
        phone.change(b"bob", Some(vec![1]));
        laptop.merge(phone.clone());
        laptop.change(b"bob", None);
        phone.merge(laptop.clone());
        assert_eq!(phone.get(b"bob"), None);
        assert!(!phone.change(b"bob", None), "nothing is left to do");
    }

    #[test]
    fn a_full_set_forgets_old_removals_and_then_says_so() {
        let mut set = Set::default();
        let id = |n: u32| [n.to_be_bytes().to_vec(), vec![0; 60]].concat();
        for n in 0..2000 {
            set.change(&id(n), Some(vec![]));
            set.change(&id(n), None);
        }
        let kept = set.encode().unwrap();
        assert!(kept.encoded_len() <= SET_MAX && kept.elements.len() > 500);
        assert!(kept.elements.iter().any(|element| element.id == id(1999)), "the newest are kept");
        for n in 0..2000 {
            set.change(&id(n), Some(vec![]));
        }
        assert_eq!(set.encode(), Err(Full));
    }
}
