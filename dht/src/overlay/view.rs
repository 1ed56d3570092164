//! [`View`]: who is in the overlay, as one node sees it at one moment. Immutable, so that choosing
//! the replicas of a key is a computation that waits for nobody.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use base::limits::REPLICAS;
use base::{NodeId, Place};

use super::peer::Peer;
use super::share::resolution;
use super::subtree::around;
use crate::prefix::{Prefix, head, shared_bits};
use crate::wire::{Contact, REFERRAL_MAX};

/// Up to so many closest members are found by keeping the best so far; more by sorting.
const FEW: usize = 16;

/// A member as the view holds it.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) peer: Arc<Peer>,
    pub(crate) addresses: Arc<[SocketAddr]>,
    /// Not suspected.
    pub(crate) well: bool,
    /// It can be asked without dialling.
    pub(crate) connected: bool,
    /// What it holds may be missing here: see [`View::is_complete`].
    pub(crate) unpulled: bool,
}

impl Member {
    pub(crate) fn contact(&self) -> Contact {
        Contact { id: self.peer.id, addresses: self.addresses.to_vec() }
    }
}

/// The overlay as this node sees it.
#[derive(Debug)]
pub(crate) struct View {
    me: Arc<Peer>,
    /// This node first, then the others in the order of their ids.
    members: Vec<Member>,
    /// Their places, in the same order; and the first bits of those: what decides nearly always.
    places: Vec<Place>,
    heads: Vec<u128>,
    settled: bool,
    /// Whether what it says of who is there is all there is to say.
    can_tell: bool,
    /// Whether it is still copying what there was before it came.
    starting: bool,
    /// Where members were whose share of the keys is still being copied.
    departed: Vec<Place>,
    unpulled: bool,
    digest: u64,
    /// Bits a place has to share with this node's for its replicas to be among the members known.
    known_bits: usize,
    is_crowd: bool,
    /// See [`View::subtree`]; worked out when it is asked for first.
    subtree: OnceLock<Prefix>,
    /// What [`View::own_ranges`] remembers, and for how many closest.
    own_ranges: OnceLock<(usize, Vec<Prefix>)>,
}

impl View {
    /// A view of these members; this node itself is added.
    pub(crate) fn new(
        me: Arc<Peer>,
        mut others: Vec<Member>,
        departed: Vec<Place>,
        settled: bool,
    ) -> View {
        let myself = Member {
            peer: Arc::clone(&me),
            addresses: Arc::new([]),
            well: true,
            connected: true,
            unpulled: false,
        };
        others.sort_unstable_by_key(|member| member.peer.id);
        let members: Vec<Member> = std::iter::once(myself).chain(others).collect();
        let places: Vec<Place> = members.iter().map(|member| member.peer.place).collect();
        let heads: Vec<u128> = places.iter().map(head).collect();
        let unpulled = members.iter().any(|member| member.unpulled);
        let digest = heads.iter().fold(0, |digest, head| digest ^ (*head >> 64) as u64);
        View {
            me,
            members,
            places,
            heads,
            settled,
            can_tell: settled,
            starting: false,
            departed,
            unpulled,
            digest,
            known_bits: 0,
            is_crowd: false,
            subtree: OnceLock::new(),
            own_ranges: OnceLock::new(),
        }
    }

    /// The subtree in which everything lies that this node keeps, and everybody who keeps it as well.
    pub(crate) fn subtree(&self) -> Prefix {
        *self.subtree.get_or_init(|| around(self.me.place, self.places.iter()))
    }

    /// The ranges in which this node is among the `count` closest, worked out when they are asked for first:
    /// a node that meets hundreds asks for them hundreds of times.
    pub(crate) fn own_ranges(&self, count: usize, make: impl Fn() -> Vec<Prefix>) -> Vec<Prefix> {
        let (of, ranges) = self.own_ranges.get_or_init(|| (count, make()));
        if *of == count { ranges.clone() } else { make() }
    }

    /// A node that has just come has all of nothing before it has copied from everybody: those that
    /// came with it may be closer to a place than all who have something there.
    pub(crate) fn set_starting(&mut self, starting: bool) {
        self.starting = starting;
    }

    /// There are more members than are known; of places that share so many bits with this node's the
    /// replicas are.
    pub(crate) fn set_known_bits(&mut self, bits: usize) {
        (self.known_bits, self.is_crowd) = (bits, true);
    }

    /// Whether there are more members than can be known.
    pub(crate) fn is_crowd(&self) -> bool {
        self.is_crowd
    }

    /// Whether the replicas of a place are among the members known.
    pub(crate) fn knows_replicas(&self, place: &Place) -> bool {
        self.known_bits == 0 || shared_bits(&self.me.place, place) >= self.known_bits
    }

    /// Whom to ask for a place: its replicas, or those who know them best of all that are connected.
    pub(crate) fn to_ask(&self, place: &Place) -> Vec<&Member> {
        if self.knows_replicas(place) {
            return self.replicas(place);
        }
        let well = self.closest_of(place, REPLICAS, |member| member.connected && member.well);
        if well.len() == REPLICAS {
            return well;
        }
        self.closest_of(place, REPLICAS, |member| member.connected)
    }

    /// A node that was alone until now can tell who is there, although it looks around.
    pub(crate) fn set_can_tell(&mut self) {
        self.can_tell = true;
    }

    /// Whether this node can tell another who is there.
    pub(crate) fn can_tell(&self) -> bool {
        self.can_tell
    }

    /// This node.
    pub(crate) fn me(&self) -> &Arc<Peer> {
        &self.me
    }

    /// Everybody, this node first.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Where they are, in the same order.
    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    pub(crate) fn member(&self, id: &NodeId) -> Option<&Member> {
        if *id == self.me.id {
            return self.members.first();
        }
        let others = self.members.get(1..)?;
        let at = others.binary_search_by_key(id, |member| member.peer.id).ok()?;
        others.get(at)
    }

    /// The same for all that know the same members.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    /// Whether this node has looked around for others, so that it knows whether it is alone.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled
    }

    /// The members that keep what lies at `place`, closest first.
    pub(crate) fn replicas(&self, place: &Place) -> Vec<&Member> {
        self.closest(place, REPLICAS)
    }

    /// The members closest to a place, closest first.
    pub(crate) fn closest(&self, place: &Place, count: usize) -> Vec<&Member> {
        if count > FEW {
            return self.many_closest(place, count);
        }
        self.closest_of(place, count, |_| true)
    }

    fn many_closest(&self, place: &Place, count: usize) -> Vec<&Member> {
        let target = head(place);
        let by_distance = self.heads.iter().enumerate().map(|(at, head)| (head ^ target, at));
        let mut all: Vec<(u128, usize)> = by_distance.collect();
        if all.len() > count {
            all.select_nth_unstable(count);
            all.truncate(count);
        }
        all.sort_unstable();
        // Where the first bits are the same the rest decides.
        let rest = |at: &usize| self.members[*at].peer.place.distance(place);
        if all.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            all.sort_unstable_by_key(|(_, at)| rest(at));
        }
        all.into_iter().map(|(_, at)| &self.members[at]).collect()
    }

    fn closest_of(
        &self,
        place: &Place,
        count: usize,
        is_one: impl Fn(&Member) -> bool,
    ) -> Vec<&Member> {
        let target = head(place);
        let mut best: Vec<(u128, usize)> = Vec::with_capacity(count + 1);
        for (at, member_head) in self.heads.iter().enumerate() {
            let distance = member_head ^ target;
            if best.len() == count && best.last().is_some_and(|(worst, _)| *worst < distance) {
                continue;
            }
            if !is_one(&self.members[at]) {
                continue;
            }
            let before = |(other, other_at): &(u128, usize)| {
                *other < distance || (*other == distance && self.is_closer(place, *other_at, at))
            };
            let rank = best.partition_point(before);
            best.insert(rank, (distance, at));
            best.truncate(count);
        }
        best.into_iter().map(|(_, at)| &self.members[at]).collect()
    }

    /// For places whose first bits are the same.
    fn is_closer(&self, place: &Place, a: usize, b: usize) -> bool {
        let distance = |at: usize| self.members[at].peer.place.distance(place);
        distance(a) < distance(b)
    }

    /// How many members are closer to `place` than the one at `of` is.
    pub(crate) fn rank(&self, place: &Place, of: &Place) -> usize {
        let target = head(place);
        let limit = head(of) ^ target;
        let closer = |(at, member_head): &(usize, &u128)| {
            let distance = *member_head ^ target;
            distance < limit
                || (distance == limit
                    && self.members[*at].peer.place.distance(place) < of.distance(place))
        };
        self.heads.iter().enumerate().filter(closer).count()
    }

    /// Whether this node is among the `count` closest to `place`.
    pub(crate) fn keeps(&self, place: &Place, count: usize) -> bool {
        self.rank(place, &self.me.place) < count
    }

    /// How many members surely are closer to `place` than the one at `of` is: in the first bits, of which
    /// [`crate::overlay::share`] says how many count where so many keep a place.
    pub(crate) fn coarse_rank(&self, place: &Place, of: &Place, count: usize) -> usize {
        let target = head(place);
        // How many bits those share with the place that share the most, one more than keep it.
        let mut most = [None; FEW + 1];
        let most = &mut most[..=count.min(FEW)];
        let last = most.len() - 1;
        for member_head in &self.heads {
            let shared = Some((member_head ^ target).leading_zeros() as usize);
            if most[last] < shared {
                let at = most.partition_point(|other| *other >= shared);
                most[at..].rotate_right(1);
                most[at] = shared;
            }
        }
        let bits = resolution(most[last].map_or(0, |shared| shared + 1));
        let distance = |head: u128| (head ^ target) >> (u128::BITS as usize - bits);
        let limit = distance(head(of));
        self.heads.iter().filter(|head| distance(**head) < limit).count()
    }

    /// Whether this node keeps copies of what is at `place`, as one of the `count` closest or as close as
    /// these in the bits that count.
    pub(crate) fn copies(&self, place: &Place, count: usize) -> bool {
        self.coarse_rank(place, &self.me.place, count) < count
    }

    /// Members closer to `place` than this node: whom to ask instead.
    pub(crate) fn closer(&self, place: &Place) -> Vec<Contact> {
        let mine = self.me.place.distance(place);
        let closest = self.closest(place, REFERRAL_MAX).into_iter();
        closest
            .filter(|member| member.peer.place.distance(place) < mine)
            .map(Member::contact)
            .collect()
    }

    /// Whether this node has everything it should have at `place`: it knows who is there, none that
    /// may have kept the place holds entries that were not pulled yet, and it did not come to keep
    /// the place by a departure whose share is still being copied.
    pub(crate) fn is_complete(&self, place: &Place) -> bool {
        if !self.settled || self.starting {
            return false;
        }
        if self.unpulled {
            // Who keeps a place with this node, or did before this node came.
            let near = self.closest(place, REPLICAS + 1);
            if near.iter().any(|member| member.unpulled) {
                return false;
            }
        }
        if self.departed.is_empty() {
            return true;
        }
        let mine = self.me.place.distance(place);
        let departed = self.departed.iter().filter(|gone| gone.distance(place) < mine).count();
        self.rank(place, &self.me.place) + departed < REPLICAS
    }

    /// Whether anything is still being copied here, or looked for.
    pub(crate) fn is_filling(&self) -> bool {
        !self.settled || self.starting || self.unpulled || !self.departed.is_empty()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use libp2p_identity::PeerId;
    use proptest::prelude::*;

    use super::*;
    use crate::overlay::Pulse;

    /// A peer like any other.
    pub(crate) fn peer(n: u64) -> Arc<Peer> {
        // An id is the multihash of a key; any 32 bytes make one.
        let mut bytes = vec![0x12, 0x20];
        bytes.extend_from_slice(Place::of(&n.to_le_bytes()).as_bytes());
        let id = PeerId::from_bytes(&bytes).unwrap();
        Arc::new(Peer::new(id.into(), Pulse::default()))
    }

    pub(crate) fn member(n: u64) -> Member {
        Member {
            peer: peer(n),
            addresses: Arc::new([]),
            well: true,
            connected: true,
            unpulled: false,
        }
    }

    pub(crate) fn view(count: u64) -> View {
        View::new(peer(0), (1..count).map(member).collect(), Vec::new(), true)
    }

    proptest! {
        #[test]
        fn the_closest_are_those_a_full_sort_finds(count in 1..60u64, key: u64, wanted in 1..40usize) {
            let (view, place) = (view(count), Place::of(&key.to_le_bytes()));
            let mut all: Vec<NodeId> = view.members().iter().map(|m| m.peer.id).collect();
            all.sort_by_key(|id| id.place().distance(&place));
            let found: Vec<NodeId> = view.closest(&place, wanted).iter().map(|m| m.peer.id).collect();
            prop_assert_eq!(&found[..], &all[..wanted.min(all.len())]);
            for (rank, id) in all.iter().enumerate() {
                prop_assert_eq!(view.rank(&place, &id.place()), rank);
            }
        }

        #[test]
        fn referrals_are_strictly_closer(count in 1..60u64, key: u64) {
            let (view, place) = (view(count), Place::of(&key.to_le_bytes()));
            let mine = view.me().place.distance(&place);
            let closer = view.closer(&place);
            prop_assert!(closer.iter().all(|contact| contact.id.place().distance(&place) < mine));
            prop_assert_eq!(closer.is_empty(), view.rank(&place, &view.me().place) == 0);
        }

        #[test]
        fn a_departed_members_share_is_incomplete_only_where_it_was_gained(count in 4..30u64, key: u64) {
            let place = Place::of(&key.to_le_bytes());
            let before = view(count);
            let gone = member(count - 1).peer.place;
            let others = (1..count - 1).map(member).collect();
            let after = View::new(peer(0), others, vec![gone], true);
            if after.keeps(&place, REPLICAS) {
                prop_assert_eq!(after.is_complete(&place), before.keeps(&place, REPLICAS));
            }
        }
    }

    #[test]
    fn a_neighbour_whose_entries_were_not_pulled_leaves_its_places_incomplete() {
        let mut others: Vec<Member> = (1..40).map(member).collect();
        others[3].unpulled = true;
        let doubtful = others[3].peer.id;
        let view = View::new(peer(0), others, Vec::new(), true);
        for key in 0..200u64 {
            let place = Place::of(&key.to_le_bytes());
            let near = view.closest(&place, REPLICAS + 1);
            let expected = near.iter().all(|member| member.peer.id != doubtful);
            assert_eq!(view.is_complete(&place), expected);
        }
    }

    #[test]
    fn of_a_place_that_is_far_whoever_is_connected_and_well_is_asked() {
        let mut others: Vec<Member> = (1..40).map(member).collect();
        for (n, member) in others.iter_mut().enumerate() {
            (member.connected, member.well) = (n % 2 == 0, n % 4 == 0);
        }
        let mut view = View::new(peer(0), others, Vec::new(), true);
        let places = || (0..50u64).map(|key| Place::of(&key.to_le_bytes()));
        assert!(places().all(|place| view.knows_replicas(&place)));
        view.set_known_bits(3);
        for place in places().filter(|place| !view.knows_replicas(place)) {
            let asked = view.to_ask(&place);
            assert!(asked.len() == REPLICAS && asked.iter().all(|m| m.connected && m.well));
        }
        let suspects = (1..9).map(|n| Member { well: n == 1, ..member(n) }).collect();
        let mut view = View::new(peer(0), suspects, Vec::new(), true);
        view.set_known_bits(200);
        assert_eq!(
            view.to_ask(&Place::of(b"k")).len(),
            REPLICAS,
            "suspects are better than nobody"
        );
    }

    #[test]
    fn nothing_is_complete_before_a_node_has_looked_around() {
        let view = View::new(peer(0), Vec::new(), Vec::new(), false);
        assert!(!view.is_complete(&Place::of(b"x")));
        assert!(view.keeps(&Place::of(b"x"), REPLICAS));
    }
}
