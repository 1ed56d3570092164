//! Lists on a model of the overlay: keys that hold entries until they end, and no more than there is
//! room for.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;

use super::*;
use crate::limits::LIST_ROOM;
use crate::{EntryId, Lifetime, Place, SecretTag, Ttl, Value};

/// Values under keys, each with when it ends. Few fit under a key, so that trees grow.
#[derive(Default)]
struct Overlay {
    keys: HashMap<Place, BTreeMap<EntryId, (Value, u64)>>,
    now_ms: u64,
    room: usize,
    gets: usize,
}

#[derive(Clone)]
struct Found(EntryId, Value);

impl Item for Found {
    fn id(&self) -> EntryId {
        self.0
    }
}

impl Overlay {
    fn new(room: usize) -> Overlay {
        Overlay { room, ..Overlay::default() }
    }

    fn put(&mut self, key: &Key, value: Value, tag: SecretTag, ttl: Ttl, room: usize) -> bool {
        let (id, ends) = (EntryId::of(&value, tag), self.now_ms + Lifetime::from(ttl).as_millis());
        let now = self.now_ms;
        let held = self.keys.entry(key.place()).or_default();
        held.retain(|_, (_, ends)| *ends > now);
        let fits = held.contains_key(&id) || held.len() < room;
        if fits {
            held.insert(id, (value, ends));
        }
        fits
    }

    fn get(&mut self, key: &Key) -> Vec<Found> {
        self.gets += 1;
        let held = self.keys.get(&key.place()).into_iter().flatten();
        let live = held.filter(|(_, (_, ends))| *ends > self.now_ms);
        live.map(|(id, (value, _))| Found(*id, value.clone())).collect()
    }

    fn children(&mut self, key: &Key) -> Children {
        let found = self.get(key);
        Children::of(found.iter().map(|Found(id, value)| (value, id.tag)))
    }

    /// Does one step of putting; where it is, once it is.
    fn step(&mut self, insert: &mut Insert, value: &Value, ttl: Ttl) -> Option<Seat> {
        let fits = match insert.step() {
            InsertStep::Enrol { key, value, ttl } => self.put(&key, value, LAPSES, ttl, LIST_ROOM),
            InsertStep::Put(key) => self.put(&key, value.clone(), SecretTag::NONE, ttl, self.room),
            InsertStep::Seated(seat) => return Some(seat),
            InsertStep::Full => panic!("no list of this size is full"),
        };
        if fits {
            insert.done()
        } else {
            insert.full()
        }
        None
    }

    fn insert(&mut self, tree: &Tree, value: &Value, ttl: Ttl, seat: Option<Seat>) -> Seat {
        let mut insert = Insert::new(tree.clone(), way(value), ttl, seat, self.now_ms);
        loop {
            if let Some(seat) = self.step(&mut insert, value, ttl) {
                return seat;
            }
        }
    }

    /// Puts so many elements that stay.
    fn fill(&mut self, tree: &Tree, elements: usize) {
        for n in 0..elements {
            self.insert(tree, &value(n), Ttl::MAX, None);
        }
    }

    fn remove(&mut self, tree: &Tree, value: &Value) {
        let mut descent = Descent::new(tree.clone(), way(value));
        loop {
            let held = self.keys.entry(descent.node().place()).or_default();
            held.remove(&EntryId::of(value, SecretTag::NONE));
            let Some(key) = descent.children() else { return };
            let children = self.children(&key);
            if !descent.go_down(children) {
                return;
            }
        }
    }

    fn page(&mut self, tree: &Tree, from: Option<Placemark>, max: usize) -> ListPage<Found> {
        let mut walk = Walk::new(tree.clone(), from, max);
        while let Some(ask) = walk.ask().cloned() {
            match ask {
                WalkAsk::Elements { key, after, max } => {
                    let mut found = self.get(&key);
                    found.retain(|Found(id, _)| after.is_none_or(|after| *id > after));
                    let more = found.len() > max;
                    found.truncate(max);
                    walk.elements(found, more);
                }
                WalkAsk::Children(key) => {
                    let children = self.children(&key);
                    walk.children(children);
                }
            }
        }
        walk.page()
    }

    fn all(&mut self, tree: &Tree, max: usize) -> BTreeSet<Value> {
        let (mut all, mut from) = (BTreeSet::new(), None);
        loop {
            let page = self.page(tree, from, max);
            assert!(page.items.len() <= max);
            all.extend(page.items.into_iter().map(|Found(_, value)| value));
            // As a reader elsewhere would have it.
            from = page.next.map(|next| Placemark::from_bytes(&next.to_bytes()).unwrap());
            if from.is_none() {
                return all;
            }
        }
    }

    fn fullest(&self) -> usize {
        self.keys.values().map(BTreeMap::len).max().unwrap_or(0)
    }
}

fn tree() -> Tree {
    Tree::new(Key::new("a list").unwrap())
}

fn value(n: usize) -> Value {
    Value::new(format!("element {n}")).unwrap()
}

fn way(value: &Value) -> Path {
    Path::of(&EntryId::of(value, SecretTag::NONE))
}

fn ttl(seconds: i64) -> Ttl {
    Ttl::from_secs(seconds).unwrap()
}

#[test]
fn a_small_list_is_two_gets_away() {
    let (mut overlay, tree) = (Overlay::new(LIST_ROOM), tree());
    assert!(overlay.page(&tree, None, 10).next.is_none(), "an empty list has a page");
    overlay.fill(&tree, LIST_ROOM);
    for max in [1, 16, LIST_ROOM, 1000] {
        overlay.gets = 0;
        let page = overlay.page(&tree, None, max);
        assert_eq!(page.items.len(), max.min(LIST_ROOM));
        assert_eq!((page.reads, page.next.is_none()), (overlay.gets, max >= LIST_ROOM));
        assert!(overlay.gets <= 2, "{max}: {}", overlay.gets);
    }
}

#[test]
fn ten_thousand_elements_fill_no_key_above_its_room_and_a_first_page_is_four_gets_away() {
    let (mut overlay, tree) = (Overlay::new(LIST_ROOM), tree());
    overlay.fill(&tree, 10_000);
    assert_eq!(overlay.fullest(), LIST_ROOM);
    for max in [1, 16, LIST_ROOM, 2 * LIST_ROOM] {
        let page = overlay.page(&tree, None, max);
        assert!(page.reads <= 4 && !page.items.is_empty(), "{max}: {}", page.reads);
    }
    overlay.gets = 0;
    assert_eq!(overlay.all(&tree, 1000).len(), 10_000);
    // 273 nodes are full or half so, each with its children's key, and those of the pages' ways.
    assert!(overlay.gets < 1200, "{}", overlay.gets);
    // Whoever was at the root is gone: what lies below is found all the same, as fast.
    let root = overlay.keys.get_mut(&tree.root().place()).unwrap();
    let gone = std::mem::take(root).len();
    let page = overlay.page(&tree, None, 16);
    assert!(page.reads <= 4 && page.items.len() == 16, "{}", page.reads);
    assert_eq!(overlay.all(&tree, 100).len(), 10_000 - gone);
}

#[test]
fn foreign_values_below_the_root_are_no_elements() {
    let (mut overlay, tree) = (Overlay::new(1), tree());
    overlay.fill(&tree, 4);
    let way = way(&value(9));
    let astray = tree.node(&way.first(1).parent().unwrap().0.child(way.steps()[0] ^ 1).unwrap());
    overlay.put(&astray, value(9), SecretTag::NONE, Ttl::MAX, LIST_ROOM);
    assert!(!overlay.all(&tree, 100).contains(&value(9)));
}

#[test]
fn keys_that_only_seem_to_lead_on_end_a_page_and_do_not_end_the_list() {
    let (mut overlay, tree) = (Overlay::new(LIST_ROOM), tree());
    let mut paths = vec![Path::ROOT];
    for _ in 0..3 {
        let below = |path: &Path| (0..16).filter_map(|step| path.child(step)).collect::<Vec<_>>();
        for path in &paths {
            for step in 0..16 {
                let entry = Value::new(format!("{step:x} 9")).unwrap();
                overlay.put(&tree.children(path), entry, LAPSES, Ttl::MAX, LIST_ROOM);
            }
        }
        paths = paths.iter().flat_map(below).collect();
    }
    let page = overlay.page(&tree, None, 10);
    assert!(page.items.is_empty() && page.next.is_some() && page.reads <= 32);
    let last = paths.last().unwrap();
    let deep = (0..).map(value).find(|value| last.leads_to(&way(value))).unwrap();
    overlay.put(&tree.node(last), deep.clone(), SecretTag::NONE, Ttl::MAX, LIST_ROOM);
    assert_eq!(overlay.all(&tree, 10), BTreeSet::from([deep]));
}

/// What happens to a list.
#[derive(Debug, Clone)]
enum Act {
    Put(usize, i64),
    Remove(usize),
    Pass(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..120usize, 1..400i64).prop_map(|(n, ttl)| Act::Put(n, ttl)),
        2 => (0..120usize).prop_map(Act::Remove),
        1 => (1..90u64).prop_map(Act::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_list_holds_what_was_put_and_neither_removed_nor_ended(
        acts in prop::collection::vec(act(), 1..200),
        max in 1..40usize,
        remember in any::<bool>(),
    ) {
        let (mut overlay, tree) = (Overlay::new(4), tree());
        let mut seats: HashMap<usize, Seat> = HashMap::new();
        // When each ends: at least, since an older copy of it may live longer, and at most.
        let mut ends: HashMap<usize, (u64, u64)> = HashMap::new();
        for act in acts {
            match act {
                Act::Put(n, seconds) => {
                    let seat = seats.get(&n).copied().filter(|_| remember);
                    seats.insert(n, overlay.insert(&tree, &value(n), ttl(seconds), seat));
                    let end = overlay.now_ms + seconds.unsigned_abs() * 1000;
                    let (_, latest) = ends.get(&n).copied().unwrap_or_default();
                    ends.insert(n, (end, latest.max(end)));
                }
                Act::Remove(n) => {
                    overlay.remove(&tree, &value(n));
                    ends.remove(&n);
                    seats.remove(&n);
                }
                Act::Pass(seconds) => overlay.now_ms += seconds * 1000,
            }
            prop_assert!(overlay.keys.values().all(|held| held.len() <= 128));
        }
        let (all, now) = (overlay.all(&tree, max), overlay.now_ms);
        for n in 0..120 {
            let (least, most) = ends.get(&n).copied().unwrap_or_default();
            let is_there = all.contains(&value(n));
            prop_assert!(is_there || least <= now, "{n} is missing");
            prop_assert!(!is_there || most > now, "{n} is still there");
        }
    }

    #[test]
    fn what_stays_is_on_some_page_whatever_comes_and_goes_between_pages(
        acts in prop::collection::vec(act(), 1..80),
        max in 1..12usize,
    ) {
        let (mut overlay, tree) = (Overlay::new(4), tree());
        for n in 0..100 {
            overlay.insert(&tree, &value(n), Ttl::MAX, None);
        }
        let (mut seen, mut from, mut acts) = (BTreeSet::new(), None, acts.into_iter());
        loop {
            let page = overlay.page(&tree, from, max);
            seen.extend(page.items.into_iter().map(|Found(_, value)| value));
            from = page.next;
            if from.is_none() {
                break;
            }
            match acts.next() {
                // Those from 60 on come and go.
                Some(Act::Put(n, seconds)) => {
                    overlay.insert(&tree, &value(60 + n), ttl(seconds), None);
                }
                Some(Act::Remove(n)) => overlay.remove(&tree, &value(60 + n)),
                Some(Act::Pass(seconds)) => overlay.now_ms += seconds * 1000,
                None => {}
            }
        }
        prop_assert!((0..60).all(|n| seen.contains(&value(n))));
    }

    #[test]
    fn those_who_put_at_once_lose_nothing(
        order in prop::collection::vec(0..30usize, 0..400),
    ) {
        let (mut overlay, tree) = (Overlay::new(4), tree());
        let begin = |n| Insert::new(tree.clone(), way(&value(n)), Ttl::MAX, None, 0);
        let mut under_way: Vec<Insert> = (0..30).map(begin).collect();
        for n in order.into_iter().chain((0..40).flat_map(|_| 0..30)) {
            overlay.step(&mut under_way[n], &value(n), Ttl::MAX);
        }
        prop_assert_eq!(overlay.all(&tree, 7).len(), 30);
        prop_assert!(under_way.iter().all(|i| matches!(i.step(), InsertStep::Seated(_))));
    }
}

#[test]
fn keys_ways_and_enrolments_are_those_of_the_reference_page() {
    // The page's were made with Python's hashlib and the reference BLAKE3 binding.
    let page = include_str!("../../../docs/reference/lists.md");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let service = crate::ServiceId::new("P2PSIP").unwrap();
    let key = Key::in_service(&service, "menu").unwrap();
    let tree = Tree::new(Key::of_service(&service));
    let contact = Value::new("169.254.3.1:5061").unwrap();
    let way = way(&contact);
    let below = way.first(1);
    for (what, told) in [
        ("the place of `menu` in `P2PSIP`", key.place().to_string()),
        ("the place of the root", tree.root().place().to_string()),
        ("the root's children's key", hex(tree.children(&Path::ROOT).as_bytes())),
        ("the contact's way", hex(way.steps())),
        ("the first node on it", hex(tree.node(&below).as_bytes())),
        ("that node's children's key", hex(tree.children(&below).as_bytes())),
    ] {
        let row = format!("| {what} | `{told}` |");
        assert!(page.contains(&row), "the page has no row\n{row}");
    }
    assert_eq!(
        page.contains("`it only ever lapses!`"),
        *LAPSES.as_bytes() == *b"it only ever lapses!"
    );
}
