//! Makes interruptions happen, and tells the truth what follows from them.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::info;

use super::check::Side;
use super::interruption::{Absence, Drawing, Interruption, Return};
use super::world::World;
use crate::store::writer::MARK_EVERY;

/// What runs in this thread alone.
type LocalFuture<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

impl World {
    /// Interrupts what goes on, one thing after the other, each after calm.
    pub(super) async fn interrupt(self: &Rc<World>) {
        let count = if self.plan.kinds.is_empty() { 0 } else { self.plan.interruptions };
        let pause = self.plan.length / u32::try_from(count + 1).unwrap_or(u32::MAX);
        for _ in 0..count {
            sleep(pause).await;
            self.await_calm().await;
            if self.has_failed() {
                return;
            }
            let interruption = {
                let mut rng = self.rng.borrow_mut();
                let kind = self.plan.kinds[rng.usize(..self.plan.kinds.len())];
                Drawing { rng: &mut rng, nodes: self.plan.nodes }.draw(kind)
            };
            let line = format!("{:.3} s: {interruption}", self.now().as_secs_f64());
            info!("{interruption}");
            self.interruptions.borrow_mut().push(line);
            self.undergo(interruption).await;
        }
        sleep(pause).await;
    }

    /// One interruption, from calm, until it is over; not until there is calm again.
    pub(super) async fn undergo(self: &Rc<World>, interruption: Interruption) {
        match &interruption {
            Interruption::Split { other, .. } => self.take_sides(other),
            Interruption::Outage { node, .. } => {
                let other: Vec<bool> = (0..self.plan.nodes).map(|n| n == *node).collect();
                self.take_sides(&other);
            }
            Interruption::AllDown { .. } | Interruption::Overlap(_) => {
                let mut nodes = self.nodes.borrow_mut();
                nodes.iter_mut().for_each(|node| node.side = Side { number: 0, weak: true });
                self.truth.tear(false);
            }
            Interruption::Lost(absences) => self.truth.lose_disks(absences.len()),
            Interruption::Absent(Absence { back: Return::Emptied { .. }, .. }) => {
                self.truth.lose_disks(1);
            }
            Interruption::Absent(Absence { back: Return::Rebooted(jump), .. }) if *jump > 0 => {
                // What had less time left than that is over there, removals as well.
                self.truth.lose_disks(1);
            }
            _ => {}
        }
        let tears = matches!(
            interruption,
            Interruption::Split { .. }
                | Interruption::Outage { .. }
                | Interruption::AllDown { .. }
                | Interruption::Overlap(_)
        );
        self.perform(interruption).await;
        if tears {
            self.truth.mend();
        }
    }

    /// The overlay is torn in two: a side that loses but one node loses no value.
    fn take_sides(&self, other: &[bool]) {
        let others = other.iter().filter(|other| **other).count();
        let ours = other.len() - others;
        for (node, other) in self.nodes.borrow_mut().iter_mut().zip(other) {
            let lost = if *other { ours } else { others };
            node.side = Side { number: u8::from(*other), weak: lost > 1 };
        }
        self.truth.tear(true);
    }

    fn perform<'a>(self: &'a Rc<World>, interruption: Interruption) -> LocalFuture<'a> {
        Box::pin(async move {
            match interruption {
                Interruption::Absent(absence) => self.be_absent(absence).await,
                Interruption::Lost(absences) => {
                    let absences = absences.into_iter().map(Interruption::Absent);
                    self.overlap(absences.map(|absence| (Duration::ZERO, absence)).collect()).await;
                }
                Interruption::Split { other, lasts } => {
                    self.maroon(&other);
                    sleep(lasts).await;
                    self.maroon(&vec![false; other.len()]);
                }
                Interruption::Outage { node, lasts } => {
                    let other: Vec<bool> = (0..self.plan.nodes).map(|n| n == node).collect();
                    self.maroon(&other);
                    sleep(lasts).await;
                    self.maroon(&vec![false; other.len()]);
                }
                Interruption::Suspend { node, lasts } => {
                    self.put_to_sleep(node, true);
                    sleep(lasts).await;
                    self.nodes.borrow()[node].machine.has_slept(lasts);
                    self.put_to_sleep(node, false);
                }
                Interruption::SlowDisk { node, lasts, commit } => {
                    self.nodes.borrow()[node].disk.slow_down(Some(commit));
                    sleep(lasts).await;
                    self.nodes.borrow()[node].disk.slow_down(None);
                }
                Interruption::FullDisk { node, lasts } => {
                    self.nodes.borrow()[node].disk.fill_up(true);
                    sleep(lasts).await;
                    self.nodes.borrow()[node].disk.fill_up(false);
                }
                Interruption::AllDown { lasts, back } => self.all_down(lasts, back).await,
                Interruption::Overlap(parts) => self.overlap(parts).await,
                Interruption::Quiet(lasts) => sleep(lasts).await,
            }
        })
    }

    async fn overlap(self: &Rc<World>, parts: Vec<(Duration, Interruption)>) {
        let parts = parts.into_iter().map(|(after, part)| {
            let world = Rc::clone(self);
            tokio::task::spawn_local(async move {
                sleep(after).await;
                world.perform(part).await;
            })
        });
        for part in parts.collect::<Vec<_>>() {
            let _ = part.await;
        }
    }

    fn maroon(&self, other: &[bool]) {
        for (node, other) in self.nodes.borrow().iter().zip(other) {
            self.net.maroon(&node.id, u32::from(*other));
        }
    }

    fn put_to_sleep(&self, n: usize, asleep: bool) {
        let mut nodes = self.nodes.borrow_mut();
        nodes[n].asleep = asleep;
        self.net.sleep(&nodes[n].id, asleep);
    }

    async fn be_absent(self: &Rc<World>, absence: Absence) {
        let Absence { node, polite, lasts, back } = absence;
        self.take_down(node, polite).await;
        let since = Instant::now();
        sleep(lasts).await;
        self.come_back(node, since, back);
        // Without its disk it remembers nobody whom it could look for by itself.
        let forgot = matches!(back, Return::Emptied { .. });
        if forgot || self.random(2) == 0 {
            self.join(node).await;
        }
    }

    async fn all_down(self: &Rc<World>, lasts: Duration, back: Vec<(Duration, Return)>) {
        for n in 0..self.plan.nodes {
            self.nodes.borrow_mut()[n].stop(&self.net);
        }
        let since = Instant::now();
        sleep(lasts).await;
        let mut back: Vec<_> = back.into_iter().enumerate().collect();
        back.sort_by_key(|(_, (after, _))| *after);
        for (n, (after, how)) in back {
            sleep((since + lasts + after).saturating_duration_since(Instant::now())).await;
            self.come_back(n, since, how);
        }
    }

    async fn take_down(&self, n: usize, polite: bool) {
        if polite {
            let dht = self.nodes.borrow()[n].dht.clone();
            if let Some(dht) = dht {
                dht.leave().await;
                dht.close().await;
            }
        }
        self.nodes.borrow_mut()[n].stop(&self.net);
    }

    fn come_back(&self, n: usize, since: Instant, back: Return) {
        let seed = self.random(u64::MAX);
        match back {
            Return::SameBoot => {}
            Return::Rebooted(jump) => {
                let (off, now) = (since.elapsed(), self.now());
                self.nodes.borrow()[n].machine.reboot(jump);
                if jump != 0 {
                    self.truth.clock_jumped(off + MARK_EVERY, jump, now);
                }
            }
            Return::Emptied { new_id } => {
                let key = new_id.then(|| self.fresh_key());
                self.nodes.borrow_mut()[n].lose_disk(seed, key);
            }
        }
        self.start(n);
    }
}
