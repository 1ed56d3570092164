//! `whatsup watch`: what happens around a person, as it happens: lists at a terminal, or a line of JSON for
//! each event.
//!
//! ```text
//! watches ─► Feeder ─► Event ─┬─► Model ─► view ─► Screen      at a terminal
//!              ▲              └─► Lines ─► standard output     with --json
//!              └── Wish ◄── Model ◄── Key ◄── keyboard
//! ```
//!
//! [`looks::Looks`], [`model::Model`], [`lines::Lines`] and [`view::draw`] decide; [`feeder::Feeder`] and the
//! loops here do.

mod chosen;
mod event;
mod feeder;
mod following;
mod lines;
mod looks;
mod mailroom;
mod model;
#[cfg(test)]
mod samples;
mod screen;
mod view;

use std::io;

use chrono::{DateTime, Local, TimeDelta};
use crossterm::event::EventStream;
use futures::StreamExt;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::answer::Answer;
use super::context::{Context, Streams, TerminalKind};
use super::error::CommandError;
use crate::stamp::Stamp;
use event::{Event, Wish};
use feeder::Feeder;
use lines::Lines;
use model::{Model, Then};
use screen::Screen;
use view::Manner;

/// Events that wait to be shown: each is of one kind of thing, so a few are all there are at a time.
const EVENTS_MAX: usize = 64;
/// Wishes that wait to be granted: more than somebody types while one is.
const WISHES_MAX: usize = 16;
/// Older things are shown with their day.
const TODAY_HOURS: i64 = 20;

/// `whatsup watch`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// End after so many events that are new; with --json
    #[arg(long, value_name = "N")]
    pub count: Option<usize>,
}

pub(super) async fn run(args: Args, context: &mut Context<'_>) -> Result<Answer, CommandError> {
    let (mut stdin, mut out, mut err) = (io::empty(), io::sink(), io::sink());
    let streams = Streams { stdin: &mut stdin, out: &mut out, err: &mut err };
    let terminal = context.terminal();
    if !context.is_json() && terminal.is_none() {
        return Err(CommandError::Usage(
            "standard output is no terminal that can be drawn on; programs read: whatsup watch --json"
                .to_owned(),
        ));
    }
    if args.count.is_some() && !context.is_json() {
        return Err(CommandError::Usage("--count goes with --json".to_owned()));
    }
    let (events, told) = mpsc::channel(EVENTS_MAX);
    let (wishes, wished) = mpsc::channel(WISHES_MAX);
    let feeder = Feeder::new(context.beside(streams), events)?;
    let feeding = Box::pin(feeder.run(wished));
    match terminal {
        Some(kind) if !context.is_json() => {
            let shown = Box::pin(show(kind, told, wishes, context));
            tokio::select! {
                shown = shown => shown,
                () = feeding => Ok(Answer::done(json!({}), "")),
            }
        }
        _ => {
            let printed = print(args.count, told, context);
            tokio::select! {
                printed = printed => printed,
                () = feeding => Ok(Answer::done(json!({}), "")),
            }
        }
    }
}

/// Prints what happens, until so much that is new has.
async fn print(
    count: Option<usize>,
    mut told: mpsc::Receiver<Event>,
    context: &mut Context<'_>,
) -> Result<Answer, CommandError> {
    let mut lines = Lines::default();
    let mut new = 0;
    while let Some(event) = told.recv().await {
        for (line, is_new) in lines.told(event) {
            context.emit(Answer::done(line, ""))?;
            new += usize::from(is_new);
            if is_new && count.is_some_and(|count| new >= count) {
                return Ok(Answer::done(json!({ "event": "end", "told": new }), ""));
            }
        }
    }
    Ok(Answer::done(json!({ "event": "end", "told": new }), ""))
}

/// Draws what happens, until whoever sits there leaves.
async fn show(
    kind: TerminalKind,
    mut told: mpsc::Receiver<Event>,
    wishes: mpsc::Sender<Wish>,
    context: &mut Context<'_>,
) -> Result<Answer, CommandError> {
    let failed = CommandError::StandardOutput;
    let mut model = Model::new(context.me()?.name().as_str());
    let mut ended = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hung_up = signal(SignalKind::hangup()).map_err(failed)?;
    let mut screen = Screen::take(context.out()).map_err(failed)?;
    let mut inputs = EventStream::new();
    loop {
        let now = Local::now();
        let when = |stamp: Stamp| moment(stamp, now);
        let manner = Manner { colours: kind == TerminalKind::Colours, when: &when };
        let mut scroll_max = 0;
        let drawn = screen.draw(|frame| scroll_max = view::draw(&model, &manner, frame));
        drawn.map_err(failed)?;
        model.drawn(scroll_max);
        let then = tokio::select! {
            event = told.recv() => match event {
                None => Then::Leave,
                Some(event) => {
                    let wish = model.told(event);
                    wish.map_or(Then::Stay, Then::Wish)
                }
            },
            input = inputs.next() => match input {
                None => Then::Leave,
                Some(input) => {
                    let key = screen::key(input.map_err(CommandError::StandardInput)?);
                    key.map_or(Then::Stay, |key| model.key(key))
                }
            },
            _ = ended.recv() => Then::Leave,
            _ = hung_up.recv() => Then::Leave,
        };
        match then {
            Then::Stay => {}
            Then::Leave => return Ok(Answer::done(json!({}), "")),
            Then::Wish(wish) => {
                if wishes.try_send(wish).is_err() {
                    model.notice = Some("not done: what was said before is still under way".into());
                }
            }
        }
    }
}

/// A moment in five columns, by this machine's clock: the hour, or the day.
fn moment(stamp: Stamp, now: DateTime<Local>) -> String {
    let moment = i64::try_from(stamp.millis()).ok().and_then(DateTime::from_timestamp_millis);
    let Some(moment) = moment.map(|moment| moment.with_timezone(&Local)) else {
        return "  ?  ".to_owned();
    };
    let is_today = (now - moment).abs() < TimeDelta::hours(TODAY_HOURS);
    moment.format(if is_today { "%H:%M" } else { "%m-%d" }).to_string()
}

#[cfg(test)]
mod tests;
