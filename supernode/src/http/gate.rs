//! The gate through which every request passes that costs something: a thin layer of waking over
//! [`Turns`], which decides whose turn it is.
//!
//! A source that is alone just passes ([`Solitude`]). A request passes once it has arrived whole, so
//! that a slow sender holds nothing here. Whoever waits long for an event and not for the overlay must
//! leave the gate for that time: the slots are for work.
//!
//! A source in company is paced: it gets a third of the time of the threads it may run on. Turns alone
//! let a flood keep all processors busy, and then others wait for those instead: of this node, of
//! its disk, and of the super-nodes that keep what it asks for.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::debts::Debts;
use super::solitude::Solitude;
use super::turns::{Arrival, Bounds, Ticket, Turns};
use crate::source::Source;

/// Requests in work at a time, most of them waiting for a disk or for other super-nodes. Enough for
/// commits of many puts; as many whole replies of a mebibyte still fit into memory.
const SLOTS: usize = 256;
/// Requests that wait for their turn, of one source and of all. A source's connections are twice as
/// many: who uses them all at once is told to try again.
const WAITING_MAX: usize = 768;
const IN_LINE_MAX: usize = 64;
/// The same for this machine's own programs, which load tests are among.
const IN_LINE_MAX_LOOPBACK: usize = 512;
/// Longest that a request waits for its turn. Turns take microseconds to milliseconds; who waits for
/// seconds had better know that the node is overloaded.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// How long a source pays for each moment that its requests keep all its threads busy.
const PRICE: u32 = 3;
/// What a request costs before it comes here and after: its bytes are read and written.
const AROUND: Duration = Duration::from_micros(10);
/// What one costs that waits for a disk or other super-nodes, there and on the way.
const ELSEWHERE: Duration = Duration::from_micros(100);
/// Shorter rests are put off: the runtime's clock has steps of a millisecond.
const REST_MIN: Duration = Duration::from_millis(1);

/// The gate of a node.
#[derive(Debug)]
pub struct Gate {
    solitude: Solitude,
    turns: Mutex<Turns<Source, oneshot::Sender<()>>>,
    debts: Mutex<Debts<Source>>,
    /// Threads that one source may keep busy.
    running: u32,
    started: Instant,
}

/// Too many wait, or one has waited too long: nothing was done, and trying again is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

impl Gate {
    /// A gate for a program with so many threads. A source in company may keep all of them busy but
    /// one, so that another's request finds a thread that is about to be free.
    pub fn new(threads: usize) -> Gate {
        let running = threads.saturating_sub(1).max(1);
        let bounds = Bounds { slots: SLOTS, running, waiting: WAITING_MAX };
        Gate {
            solitude: Solitude::new(),
            turns: Mutex::new(Turns::new(bounds)),
            debts: Mutex::new(Debts::new()),
            running: u32::try_from(running).unwrap_or(u32::MAX),
            started: Instant::now(),
        }
    }

    /// Does work for a source when it is its turn.
    pub(crate) async fn pass<W: Future>(&self, source: Source, work: W) -> Result<W::Output, Busy> {
        if let Some(_passing) = self.solitude.pass(source) {
            return Ok(work.await);
        }
        let mut turn = self.enter(source).await?;
        turn.rest().await;
        let mut work = pin!(work);
        Ok(poll_fn(|cx| turn.poll(work.as_mut(), cx)).await)
    }

    async fn enter(&self, source: Source) -> Result<Turn<'_>, Busy> {
        let in_line = if source.is_loopback() { IN_LINE_MAX_LOOPBACK } else { IN_LINE_MAX };
        let mut woken = None;
        let arrival = self.turns().arrive(source, in_line, || {
            let (wake, waking) = oneshot::channel();
            woken = Some(waking);
            wake
        });
        match (arrival, woken) {
            (Arrival::Runs, _) => Ok(Turn::begin(self, source)),
            (Arrival::Waits(ticket), Some(waking)) => {
                let waiting = Waiting { gate: self, source, ticket, waking, over: false };
                timeout(WAIT_MAX, waiting.turn()).await.unwrap_or(Err(Busy))
            }
            _ => Err(Busy),
        }
    }

    /// Wakes those whose turn it is. What cannot be woken has gone, and gives its turn back itself.
    fn wake(mut turns: MutexGuard<'_, Turns<Source, oneshot::Sender<()>>>) {
        while let Some(wake) = turns.next() {
            let _ = wake.send(());
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn debts(&self) -> MutexGuard<'_, Debts<Source>> {
        self.debts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turns(&self) -> MutexGuard<'_, Turns<Source, oneshot::Sender<()>>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that waits. Gives up its place when it is dropped, or the turn it got meanwhile.
struct Waiting<'a> {
    gate: &'a Gate,
    source: Source,
    ticket: Ticket,
    waking: oneshot::Receiver<()>,
    over: bool,
}

impl<'a> Waiting<'a> {
    async fn turn(mut self) -> Result<Turn<'a>, Busy> {
        (&mut self.waking).await.map_err(|_| Busy)?;
        self.over = true;
        Ok(Turn::begin(self.gate, self.source))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let mut turns = self.gate.turns();
        if !turns.give_up(self.source, self.ticket) {
            turns.leave(self.source, true);
        }
        Gate::wake(turns);
    }
}

/// A request's turn; it ends when this is dropped.
struct Turn<'a> {
    gate: &'a Gate,
    source: Source,
    running: bool,
    /// What it cost so far.
    cost: Duration,
}

impl<'a> Turn<'a> {
    fn begin(gate: &'a Gate, source: Source) -> Turn<'a> {
        Turn { gate, source, running: true, cost: Duration::ZERO }
    }

    /// Waits until what the source's requests took before is paid for.
    async fn rest(&self) {
        let rest = self.gate.debts().rest(&self.source, self.gate.now());
        if rest >= REST_MIN {
            sleep(rest).await;
        }
    }

    /// Goes on with the work, on this thread. Until it first has to wait it needs that for itself.
    fn poll<W: Future>(&mut self, work: Pin<&mut W>, cx: &mut Context<'_>) -> Poll<W::Output> {
        let began = Instant::now();
        let polled = work.poll(cx);
        self.cost += began.elapsed();
        if polled.is_pending() && self.running {
            self.cost += ELSEWHERE;
            self.pause();
        }
        polled
    }

    fn pause(&mut self) {
        self.running = false;
        let mut turns = self.gate.turns();
        turns.pause(self.source);
        Gate::wake(turns);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let price = (self.cost + AROUND) * PRICE / self.gate.running;
        self.gate.debts().charge(self.source, price, self.gate.now());
        let mut turns = self.gate.turns();
        turns.leave(self.source, self.running);
        Gate::wake(turns);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;

    use tokio::sync::Semaphore;
    use tokio::task::JoinSet;
    use tokio::task::yield_now;

    use super::super::debts::CREDIT;
    use super::*;

    fn source(last: u8) -> Source {
        Source::of([192, 0, 2, last].into())
    }

    /// As many requests of a source as are asked for, each of which computes until it is let go.
    fn computing(gate: &Arc<Gate>, source: Source, count: usize, go: &Arc<Semaphore>) {
        for _ in 0..count {
            let (gate, go) = (Arc::clone(gate), Arc::clone(go));
            tokio::spawn(async move {
                let turn = gate.enter(source).await;
                go.acquire().await.unwrap().forget();
                drop(turn);
            });
        }
    }

    /// A gate at which requests of several sources have come.
    async fn in_company(threads: usize) -> Arc<Gate> {
        let gate = Arc::new(Gate::new(threads));
        for host in [8, 9] {
            assert_eq!(gate.pass(source(host), async {}).await, Ok(()));
        }
        gate
    }

    async fn settle() {
        for _ in 0..2000 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_flood_is_told_to_try_again_and_others_pass() {
        let (gate, go) = (in_company(2).await, Arc::new(Semaphore::new(0)));
        computing(&gate, source(1), 1 + IN_LINE_MAX, &go);
        settle().await;
        assert_eq!(gate.pass(source(1), async {}).await, Err(Busy));
        assert_eq!(gate.pass(source(2), async { 7 }).await, Ok(7));
        go.add_permits(1 + IN_LINE_MAX);
        settle().await;
        assert_eq!(gate.pass(source(1), async { 8 }).await, Ok(8));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_so_and_leaves_the_line() {
        let (gate, go) = (in_company(1).await, Arc::new(Semaphore::new(0)));
        computing(&gate, source(1), 1, &go);
        settle().await;
        let began = tokio::time::Instant::now();
        assert_eq!(gate.pass(source(1), async {}).await, Err(Busy));
        assert_eq!(began.elapsed(), WAIT_MAX);
        go.add_permits(1);
        settle().await;
        assert_eq!(gate.pass(source(1), async {}).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_in_company_gets_a_share_of_the_time_and_who_asks_little_does_not_wait() {
        const FLOOD: u32 = 5000;
        // Those under way at the end are not paid for.
        const MARGIN: Duration = Duration::from_millis(30);
        let gate = in_company(2).await;
        let began = Instant::now();
        let flood = (0..50).map(|_| {
            let gate = Arc::clone(&gate);
            async move {
                for _ in 0..FLOOD / 50 {
                    gate.pass(source(1), yield_now()).await.unwrap();
                }
            }
        });
        let flood: JoinSet<()> = flood.collect();
        for _ in 0..20 {
            sleep(Duration::from_millis(5)).await;
            let asked = Instant::now();
            assert_eq!(gate.pass(source(2), async {}).await, Ok(()));
            assert_eq!(asked.elapsed(), Duration::ZERO);
        }
        flood.join_all().await;
        // The clock stands still while they compute: this is what they cost beside.
        let paid = (AROUND + ELSEWHERE) * PRICE * FLOOD;
        assert!(began.elapsed() >= paid - CREDIT - MARGIN, "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn work_that_is_dropped_gives_its_slot_back() {
        let gate = in_company(2).await;
        let work: Vec<_> = (0..SLOTS)
            .map(|_| {
                let gate = Arc::clone(&gate);
                tokio::spawn(async move { gate.pass(source(1), pending::<()>()).await })
            })
            .collect();
        settle().await;
        assert_eq!(gate.pass(source(2), async {}).await, Ok(()), "some are always free");
        work.iter().for_each(tokio::task::JoinHandle::abort);
        settle().await;
        let again = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.pass(source(1), async {}).await }
        });
        assert_eq!(again.await.unwrap(), Ok(()));
    }
}
