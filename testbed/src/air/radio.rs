//! The thin loop: one thread that moves frames between the laptops' devices and the [`Medium`], by
//! the real clock. It decides nothing.

use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};

use super::device::Device;
use super::frame::{FRAME_MAX, Frame};
use super::medium::{Action, Medium};
use super::record::Recorder;
use super::snapshot::{Lateness, Snapshot};
use super::travel::Travel;
use super::urgency::Urgency;

/// How often laptops are moved, and questions answered: at 1.5 m/s a step is 15 cm.
const TICK: Duration = Duration::from_millis(100);
/// How many frames are read of one laptop before others have their turn: a queue is not filled by one
/// reading, and a flood at one laptop does not keep the air of others waiting.
const BATCH: usize = 32;
/// The timer's name among the devices, which have their numbers.
const TIMER: u64 = u64::MAX;

/// The running radio. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Radio {
    questions: Option<SyncSender<SyncSender<Snapshot>>>,
    thread: Option<JoinHandle<Result<()>>>,
}

struct Loop {
    devices: Vec<Device>,
    medium: Medium,
    travel: Travel,
    record: Option<Recorder>,
    questions: Receiver<SyncSender<Snapshot>>,
    began: Duration,
    lateness: Lateness,
    urgency: Urgency,
    epoll: OwnedFd,
    timer: OwnedFd,
    armed: Option<Duration>,
}

impl Radio {
    /// Joins the devices.
    pub(crate) fn start(
        devices: Vec<Device>,
        medium: Medium,
        travel: Travel,
        record: Option<Recorder>,
    ) -> Result<Radio> {
        let epoll = epoll::create(CreateFlags::CLOEXEC).context("cannot wait for devices")?;
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, flags).context("cannot make a timer")?;
        epoll::add(&epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN)?;
        for (number, device) in devices.iter().enumerate() {
            epoll::add(&epoll, device, EventData::new_u64(number as u64), EventFlags::IN)?;
        }
        let (sender, questions) = sync_channel(1);
        let (began, lateness) = (monotonic(), Lateness::default());
        let mut air = Loop {
            devices,
            medium,
            travel,
            record,
            questions,
            began,
            lateness,
            urgency: Urgency::AsOthers,
            epoll,
            timer,
            armed: None,
        };
        let thread = std::thread::Builder::new().name("radio".into()).spawn(move || air.run())?;
        Ok(Radio { questions: Some(sender), thread: Some(thread) })
    }

    /// What the radio has done so far.
    pub(crate) fn snapshot(&self) -> Result<Snapshot> {
        let ended = || anyhow!("the radio has ended");
        let (sender, receiver) = sync_channel(1);
        self.questions.as_ref().with_context(ended)?.send(sender).map_err(|_| ended())?;
        receiver.recv().map_err(|_| ended())
    }

    /// Ends it; an error if it had ended before.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        self.questions = None;
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().unwrap_or_else(|_| Err(anyhow!("the radio panicked")))
    }
}

impl Drop for Radio {
    fn drop(&mut self) {
        // Whoever wants to know has called `stop`.
        let _ = self.end();
    }
}

impl Loop {
    fn run(&mut self) -> Result<()> {
        self.urgency = Urgency::raise();
        let (mut actions, mut tick) = (Vec::new(), Duration::ZERO);
        let mut buffer = vec![0; FRAME_MAX + 1];
        let mut ready = Vec::with_capacity(self.devices.len() + 1);
        loop {
            self.advance(&mut actions);
            let now = self.now();
            if now >= tick {
                tick = now + TICK;
                if !self.tick(now) {
                    return self.record.take().map_or(Ok(()), Recorder::finish);
                }
            }
            self.arm(self.medium.next().map_or(tick, |next| next.min(tick)))?;
            ready.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut ready), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error).context("cannot wait for devices"),
            }
            for number in ready.iter().map(|event: &Event| event.data.u64()) {
                if number == TIMER {
                    // It is told again as soon as it is armed again.
                    let _ = rustix::io::read(&self.timer, &mut [0; 8]);
                    self.armed = None;
                } else {
                    self.read(number as usize, &mut buffer, &mut actions)?;
                }
            }
        }
    }

    /// Moves the laptops and answers; false if nobody will ask any more.
    fn tick(&mut self, now: Duration) -> bool {
        let places = self.travel.at(now);
        if !self.travel.rests() {
            self.medium.place(&places);
        }
        match self.questions.try_recv() {
            Ok(asker) => {
                let snapshot = Snapshot {
                    at: now,
                    places,
                    links: self.medium.links().clone(),
                    counts: self.medium.counts().clone(),
                    lateness: self.lateness,
                    urgency: self.urgency,
                    processor: clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default(),
                    unrecorded: self.record.as_ref().map_or(0, Recorder::missed),
                };
                // Who has asked may have gone.
                let _ = asker.send(snapshot);
                true
            }
            Err(TryRecvError::Empty) => true,
            Err(TryRecvError::Disconnected) => false,
        }
    }

    /// Takes what a laptop sends.
    fn read(&mut self, from: usize, buffer: &mut [u8], actions: &mut Vec<Action>) -> Result<()> {
        for _ in 0..BATCH {
            let bytes = match self.devices[from].read(buffer) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => break,
                Err(error) => return Err(error).context("cannot read a TAP device"),
            };
            let Some(frame) = Frame::new(&buffer[..bytes], self.devices.len()) else { continue };
            let now = self.advance(actions);
            self.medium.offer(now, from, frame);
        }
        Ok(())
    }

    /// Does what is due; the time.
    fn advance(&mut self, actions: &mut Vec<Action>) -> Duration {
        let now = self.now();
        self.medium.advance(now, actions);
        for action in actions.drain(..) {
            match action {
                Action::Deliver { to, at, frame } => {
                    let taken = self.devices[to].write(frame.bytes());
                    self.lateness.delivered(now.saturating_sub(at), taken);
                }
                Action::Sent { at, frame } => {
                    if let Some(record) = &mut self.record {
                        record.frame(at, frame);
                    }
                }
            }
        }
        now
    }

    fn arm(&mut self, at: Duration) -> Result<()> {
        if self.armed == Some(at) {
            return Ok(());
        }
        self.armed = Some(at);
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let at = Timespec::try_from(self.began + at).context("no such time")?;
        let timer = Itimerspec { it_interval: zero, it_value: at };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &timer)
            .context("cannot set the timer")?;
        Ok(())
    }

    fn now(&self) -> Duration {
        monotonic().saturating_sub(self.began)
    }
}

fn monotonic() -> Duration {
    clock_gettime(ClockId::Monotonic).try_into().unwrap_or_default()
}
