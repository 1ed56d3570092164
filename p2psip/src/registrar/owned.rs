//! What this super-node has accepted, for as long as it counts: whose registered flow a request comes by,
//! and what has to be taken back when a flow is gone, or the phone has registered elsewhere.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::flow::{Flow, Token, TokenKey};
use crate::location::{Aor, Binding, Bound};

/// So many addresses of record: what is accepted beyond is not taken back, and ends in time.
const OWNED_MAX: usize = 100_000;
/// How often what is over is looked for, in registrations: so its cost is shared by many.
const BETWEEN_SWEEPS: u32 = 8192;

/// Bindings this node is the owner of.
#[derive(Debug, Default)]
pub struct Owned {
    by_aor: HashMap<Aor, Vec<Kept>>,
    /// Both the flow a REGISTER came by and the one its contact is reached by. Another proxy's has many
    /// names.
    by_flow: HashMap<Flow, HashSet<Aor>>,
    noted: u32,
}

#[derive(Debug)]
struct Kept {
    /// The one that the location service keeps as well, where it does.
    binding: Arc<Binding>,
    came_by: Flow,
    reached_by: Flow,
    verified: bool,
    until_ms: u64,
}

/// Bindings that are to be taken back: whose, and which.
pub type Gone = (Aor, Vec<Arc<Binding>>);

impl Owned {
    /// How many addresses of record have bindings of this node, counting some that are over.
    pub fn len(&self) -> usize {
        self.by_aor.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_aor.is_empty()
    }

    /// Whether anything was accepted of somebody, and counts still.
    pub fn has(&self, aor: &Aor, now_ms: u64) -> bool {
        self.by_aor.get(aor).is_some_and(|kept| kept.iter().any(|kept| kept.until_ms > now_ms))
    }

    /// Notes bindings that were granted to who registered by a flow, with how long they last; `verified`
    /// if by a password. Returns those of this node they replace.
    pub fn note(
        &mut self,
        aor: &Aor,
        granted: &[(Arc<Binding>, Duration)],
        (came_by, verified): (Flow, bool),
        tokens: &TokenKey,
        now_ms: u64,
    ) -> Vec<Arc<Binding>> {
        self.noted = self.noted.wrapping_add(1);
        if self.noted.is_multiple_of(BETWEEN_SWEEPS) {
            self.sweep(now_ms);
        }
        let mut replaced = Vec::new();
        for (binding, lifetime) in granted {
            let lifetime = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
            let until_ms = now_ms.saturating_add(lifetime);
            if self.refresh(aor, binding, (came_by, verified), until_ms, now_ms) {
                continue;
            }
            let old = self.take(aor, |kept| binding.replaces(&kept.binding));
            replaced.extend(old.into_iter().filter(|old| old != binding));
            if until_ms <= now_ms || self.by_aor.len() >= OWNED_MAX {
                continue;
            }
            let reached_by = match tokens.read(&binding.token, "") {
                Ok(Token::Flow(flow)) => flow,
                _ => came_by,
            };
            for flow in [came_by, reached_by] {
                self.by_flow.entry(flow).or_default().insert(aor.clone());
            }
            let binding = binding.clone();
            let kept = Kept { binding, came_by, reached_by, verified, until_ms };
            // Most people have one phone: a list that grows by itself begins with room for four.
            self.by_aor.entry(aor.clone()).or_insert_with(|| Vec::with_capacity(1)).push(kept);
        }
        replaced
    }

    /// The usual case: the same once more. Nothing but its time changes.
    fn refresh(
        &mut self,
        aor: &Aor,
        binding: &Binding,
        (came_by, verified): (Flow, bool),
        until_ms: u64,
        now_ms: u64,
    ) -> bool {
        let all = self.by_aor.get_mut(aor).map(Vec::as_mut_slice).unwrap_or_default();
        let same = |kept: &&mut Kept| kept.came_by == came_by && *kept.binding == *binding;
        let Some(kept) = all.iter_mut().find(same).filter(|_| until_ms > now_ms) else {
            return false;
        };
        (kept.until_ms, kept.verified) = (until_ms, verified);
        true
    }

    /// Whether a flow is one somebody has registered by; and if so, whether with a password.
    pub fn on_flow(&self, aor: &Aor, flow: &Flow, now_ms: u64) -> Option<bool> {
        let kept = self.by_aor.get(aor)?.iter();
        let live = kept.filter(|kept| kept.until_ms > now_ms);
        live.filter(|kept| kept.came_by == *flow || kept.reached_by == *flow)
            .map(|kept| kept.verified)
            .max()
    }

    /// A flow is gone: all that was reached by it goes.
    pub fn on_gone(&mut self, flow: &Flow) -> Vec<Gone> {
        let names = self.by_flow.get(flow).cloned().unwrap_or_default();
        let each = names.into_iter().map(|aor| {
            let gone = self.take(&aor, |kept| kept.reached_by == *flow);
            (aor, gone)
        });
        each.filter(|(_, gone)| !gone.is_empty()).collect()
    }

    /// All bindings of somebody, as they count now, are known: those of this node that were superseded
    /// elsewhere go.
    pub fn on_current(&mut self, aor: &Aor, current: &[Bound]) -> Vec<Arc<Binding>> {
        let newer = |kept: &Kept| {
            let is_there = current.iter().any(|bound| bound.binding == kept.binding);
            let is_replaced = current.iter().any(|bound| bound.binding.replaces(&kept.binding));
            !is_there && is_replaced
        };
        self.take(aor, newer)
    }

    /// Forgets everything of somebody (`Contact: *`).
    pub fn clear(&mut self, aor: &Aor) {
        self.take(aor, |_| true);
    }

    fn take(&mut self, aor: &Aor, which: impl Fn(&Kept) -> bool) -> Vec<Arc<Binding>> {
        let Some(all) = self.by_aor.get_mut(aor) else { return Vec::new() };
        let taken: Vec<Kept> = all.extract_if(.., |kept| which(kept)).collect();
        if all.is_empty() {
            self.by_aor.remove(aor);
        }
        for kept in &taken {
            for flow in [kept.came_by, kept.reached_by] {
                self.forget_flow(aor, &flow);
            }
        }
        taken.into_iter().map(|kept| kept.binding).collect()
    }

    fn forget_flow(&mut self, aor: &Aor, flow: &Flow) {
        let rest = self.by_aor.get(aor).map(Vec::as_slice).unwrap_or_default();
        if rest.iter().any(|kept| kept.came_by == *flow || kept.reached_by == *flow) {
            return;
        }
        if let Some(names) = self.by_flow.get_mut(flow) {
            names.remove(aor);
            if names.is_empty() {
                self.by_flow.remove(flow);
            }
        }
    }

    fn sweep(&mut self, now_ms: u64) {
        let over: Vec<Aor> = self
            .by_aor
            .iter()
            .filter(|(_, kept)| kept.iter().any(|kept| kept.until_ms <= now_ms))
            .map(|(aor, _)| aor.clone())
            .collect();
        for aor in over {
            self.take(&aor, |kept| kept.until_ms <= now_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Carrier;
    use crate::location::Media;
    use crate::message::Uri;

    fn aor(user: &str) -> Aor {
        Aor::of(&Uri::parse(&format!("sip:{user}@scope")).unwrap()).unwrap()
    }

    fn flow(connection: u64) -> Flow {
        Flow { carrier: Carrier::Tcp, peer: "192.0.2.7:4000".parse().unwrap(), connection }
    }

    fn binding(contact: &str, flow: &Flow) -> Arc<Binding> {
        Arc::new(Binding {
            contact: contact.into(),
            instance: None,
            reg_id: None,
            q: 1000,
            owner: ([192, 0, 2, 1], 5060).into(),
            token: tokens().of_flow(flow).into(),
            direct: false,
            path: "".into(),
            media: Media::Plain,
        })
    }

    fn tokens() -> TokenKey {
        TokenKey::new([1; 32])
    }

    fn note(
        owned: &mut Owned,
        binding: &Arc<Binding>,
        by: &Flow,
        until_ms: u64,
    ) -> Vec<Arc<Binding>> {
        let granted = [(binding.clone(), Duration::from_millis(until_ms))];
        owned.note(&aor("anna"), &granted, (*by, false), &tokens(), 0)
    }

    #[test]
    fn a_flow_is_somebody_s_until_it_is_over() {
        let mut owned = Owned::default();
        note(&mut owned, &binding("sip:a@h", &flow(1)), &flow(1), 100);
        assert_eq!(owned.on_flow(&aor("anna"), &flow(1), 99), Some(false));
        assert_eq!(owned.on_flow(&aor("anna"), &flow(1), 100), None);
        assert_eq!(owned.on_flow(&aor("anna"), &flow(2), 0), None);
        assert_eq!(owned.on_flow(&aor("bob"), &flow(1), 0), None);
        owned.clear(&aor("anna"));
        assert!(owned.is_empty() && owned.by_flow.is_empty());
    }

    #[test]
    fn what_is_replaced_or_loses_its_flow_is_taken_back() {
        let mut owned = Owned::default();
        let (first, second) = (binding("sip:a@h", &flow(1)), binding("sip:a@h", &flow(2)));
        assert_eq!(note(&mut owned, &first, &flow(1), 100), []);
        assert_eq!(note(&mut owned, &first, &flow(1), 200), [], "a refresh");
        assert_eq!(note(&mut owned, &second, &flow(2), 200), [first]);
        assert_eq!(owned.on_gone(&flow(1)), []);
        assert_eq!(owned.on_gone(&flow(2)), [(aor("anna"), vec![second.clone()])]);
        assert!(owned.is_empty() && owned.by_flow.is_empty());
        note(&mut owned, &second, &flow(2), 200);
        assert_eq!(note(&mut owned, &second, &flow(2), 0), [], "it was removed");
        assert!(owned.is_empty() && owned.by_flow.is_empty());
    }

    #[test]
    fn what_another_node_has_superseded_is_taken_back() {
        let mut owned = Owned::default();
        let (here, stays) = (binding("sip:a@h", &flow(1)), binding("sip:b@h", &flow(1)));
        note(&mut owned, &here, &flow(1), 100);
        note(&mut owned, &stays, &flow(1), 100);
        let owner = ([192, 0, 2, 2], 5060).into();
        let there = Arc::new(Binding { owner, ..(*here).clone() });
        let remaining = Duration::from_secs(1);
        let bound =
            |binding: &Arc<Binding>| Bound { binding: Arc::clone(binding), version: 1, remaining };
        assert_eq!(owned.on_current(&aor("anna"), &[bound(&here), bound(&stays)]), []);
        // Not to be seen is not to be superseded.
        assert_eq!(owned.on_current(&aor("anna"), &[]), []);
        assert_eq!(owned.on_current(&aor("anna"), &[bound(&there), bound(&stays)]), [here]);
        assert!(owned.has(&aor("anna"), 0));
    }

    #[test]
    fn what_is_over_takes_no_memory() {
        let mut owned = Owned { noted: BETWEEN_SWEEPS - 2, ..Owned::default() };
        note(&mut owned, &binding("sip:a@h", &flow(1)), &flow(1), 10);
        let other = binding("sip:b@h", &flow(2));
        owned.note(
            &aor("bob"),
            &[(other, Duration::from_millis(49))],
            (flow(2), true),
            &tokens(),
            50,
        );
        assert_eq!((owned.len(), owned.by_flow.len()), (1, 1));
        assert_eq!(owned.on_flow(&aor("bob"), &flow(2), 50), Some(true));
    }
}
