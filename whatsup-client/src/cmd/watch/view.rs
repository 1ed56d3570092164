//! [`draw`]: the [`Model`] as it is seen. Where there is room the three lists stand beside each other, else the
//! one that is chosen alone. Everything that somebody wrote is made harmless here, once more.

mod paint;
mod wrap;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, List, ListState, Paragraph};

use super::super::shown;
use super::event::{Shared, Talk};
use super::model::{Model, Open, Pane, To};
use crate::here::Present;
use crate::inbox::{Peer, Standing};
use paint::safe;
pub(super) use paint::{Manner, Tone};

/// Least columns and rows for lists beside each other.
const BESIDE: (u16, u16) = (64, 12);
/// Least columns and rows for anything.
const LEAST: (u16, u16) = (16, 5);
/// Columns of a frame at both sides.
const FRAME: u16 = 2;
/// Least rows for two lines at the bottom.
const TWO_LINES: u16 = 10;

/// What the keys do.
const HELP: &str = "\
Tab, Shift-Tab   the next list, the one before
Up, Down, j, k   the next row, the one before
Page Up, Down    ten rows; Home, End: the first, the last
Enter            open a post or a conversation
Escape           back to the lists
c                comment on the post, write to the person
q, Control-C     leave
?                this page

What is new has a dot. Everything comes by itself; nothing has to be fetched.";

/// Draws all of it; how far the thing that is open can be scrolled.
pub(super) fn draw(model: &Model, manner: &Manner<'_>, frame: &mut Frame<'_>) -> usize {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        frame.render_widget(Paragraph::new("too small"), area);
        return 0;
    }
    let foot = if area.height >= TWO_LINES { 2 } else { 1 };
    let rows = [Constraint::Length(1), Constraint::Min(1), Constraint::Length(foot)];
    let [head, body, foot] = Layout::vertical(rows).areas(area);
    frame.render_widget(header(model, manner), head);
    let scroll_max = match &model.open {
        Open::Lists => {
            lists(model, manner, frame, body);
            0
        }
        Open::Help => text(HELP.lines().map(Line::from).collect(), "Keys", 0, manner, frame, body),
        Open::Post(shared) => post(model, shared, manner, frame, body),
        Open::Talk(peer, label) => talk(model, peer, label, manner, frame, body),
    };
    footer(model, manner, frame, foot);
    scroll_max
}

fn header<'a>(model: &Model, manner: &Manner<'_>) -> Line<'a> {
    let mut spans = vec![
        Span::styled("What's UP", manner.style(Tone::Title)),
        Span::raw("  "),
        Span::raw(safe(&model.me)),
        Span::raw("  "),
    ];
    match (&model.trouble, &model.node) {
        (Some(why), _) => spans.push(Span::styled(safe(why), manner.style(Tone::Trouble))),
        (None, Some(node)) => spans.push(Span::styled(safe(node), manner.style(Tone::Faint))),
        (None, None) => spans.push(Span::styled("asking…", manner.style(Tone::Faint))),
    }
    Line::from(spans)
}

fn footer(model: &Model, manner: &Manner<'_>, frame: &mut Frame<'_>, area: Rect) {
    let [notice, keys] = match area.height {
        2 => Layout::vertical([Constraint::Length(1); 2]).areas(area),
        _ => [area, area],
    };
    if let Some(typed) = &model.typed {
        let what = match &typed.to {
            To::Post(_, name) => format!("to what {} shared: ", safe(name)),
            To::Person(label) => format!("to {}: ", safe(label)),
        };
        let room = usize::from(keys.width).saturating_sub(wrap::width(&what) + 1);
        let end = wrap::end(&typed.text, room);
        let at = wrap::width(&what) + wrap::width(end);
        let at = u16::try_from(at).unwrap_or(u16::MAX).min(keys.width.saturating_sub(1));
        frame.set_cursor_position((keys.x + at, keys.y));
        let line = [Span::styled(what, manner.style(Tone::Title)), Span::raw(end.to_owned())];
        frame.render_widget(Line::from(line.to_vec()), keys);
        if notice != keys {
            let hint = "Enter sends, Escape gives up";
            frame.render_widget(Line::styled(hint, manner.style(Tone::Faint)), notice);
        }
        return;
    }
    let hint = match &model.open {
        Open::Lists => "Tab list  ↑↓ row  Enter open  c write  ? keys  q leave",
        Open::Post(_) => "↑↓ scroll  c comment  Esc back  q leave",
        Open::Talk(Peer::Person(_), _) => "↑↓ scroll  c write  Esc back  q leave",
        Open::Talk(Peer::Sip(_), _) => "↑↓ scroll  Esc back  q leave",
        Open::Help => "any key goes back",
    };
    let said = model.notice.as_deref().map(safe);
    match said {
        Some(said) if notice == keys => frame.render_widget(Line::raw(said), keys),
        said => {
            frame.render_widget(Line::styled(hint, manner.style(Tone::Faint)), keys);
            if notice != keys {
                frame.render_widget(Line::raw(said.unwrap_or_default()), notice);
            }
        }
    }
}

fn lists(model: &Model, manner: &Manner<'_>, frame: &mut Frame<'_>, area: Rect) {
    if area.width < BESIDE.0 || area.height < BESIDE.1 {
        return list(model, model.pane, manner, frame, area);
    }
    let columns = [Constraint::Percentage(60), Constraint::Percentage(40)];
    let [left, right] = Layout::horizontal(columns).areas(area);
    let [above, below] = Layout::vertical([Constraint::Percentage(50); 2]).areas(right);
    for (pane, area) in Pane::ALL.into_iter().zip([left, above, below]) {
        list(model, pane, manner, frame, area);
    }
}

fn list(model: &Model, pane: Pane, manner: &Manner<'_>, frame: &mut Frame<'_>, area: Rect) {
    let is_chosen = model.pane == pane;
    let tone = if is_chosen { Tone::Title } else { Tone::Faint };
    let block = Block::bordered()
        .border_style(manner.style(tone))
        .title(Span::styled(title(model, pane), manner.style(tone)));
    let rows: Option<Vec<Line<'_>>> = match pane {
        Pane::Feed => rows(&model.feed, |shared| shared_row(model, shared, manner)),
        Pane::Messages => rows(&model.talks, |talk| talk_row(talk, manner)),
        Pane::Here => rows(&model.here, |present| present_row(present, manner)),
    };
    let empty = match (&rows, pane) {
        (None, _) => "reading…",
        (Some(_), Pane::Feed) => "nothing yet; follow people with: whatsup follow NAME",
        (Some(_), Pane::Messages) => "nobody has written yet",
        (Some(_), Pane::Here) => "nobody; say that you are: whatsup here",
    };
    let rows = rows.unwrap_or_default();
    if rows.is_empty() {
        let width = usize::from(area.width.saturating_sub(FRAME));
        let lines = wrap::wrapped(empty, width).into_iter().map(Line::from);
        let text = Text::from(lines.collect::<Vec<_>>()).style(manner.style(Tone::Faint));
        return frame.render_widget(Paragraph::new(text).block(block), area);
    }
    let mut state = ListState::default().with_selected(Some(model.chosen(pane)));
    let tone = if is_chosen { Tone::Chosen } else { Tone::Plain };
    let list = List::new(rows).block(block).highlight_style(manner.style(tone));
    frame.render_stateful_widget(list, area, &mut state);
}

fn rows<'a, T>(all: &Option<Vec<T>>, row: impl Fn(&T) -> Line<'a>) -> Option<Vec<Line<'a>>> {
    all.as_ref().map(|all| all.iter().map(row).collect())
}

/// A list's heading, with what it has.
fn title(model: &Model, pane: Pane) -> String {
    match pane {
        Pane::Feed => match model.fresh.len() {
            0 => "Feed".to_owned(),
            fresh => format!("Feed ({fresh} new)"),
        },
        Pane::Messages => match model.talks.iter().flatten().map(|talk| talk.unread).sum() {
            0_usize => "Messages".to_owned(),
            unread => format!("Messages ({unread} new)"),
        },
        Pane::Here => match &model.here {
            None => "Here".to_owned(),
            Some(here) if model.more_here => format!("Here ({} and more)", here.len()),
            Some(here) => format!("Here ({})", here.len()),
        },
    }
}

fn dot<'a>(is_new: bool, manner: &Manner<'_>) -> Span<'a> {
    if is_new { Span::styled("• ", manner.style(Tone::New)) } else { Span::raw("  ") }
}

fn shared_row<'a>(model: &Model, shared: &Shared, manner: &Manner<'_>) -> Line<'a> {
    let post = &shared.post;
    let community = shared.community.as_ref().map(|title| format!(" in {}", safe(title)));
    Line::from(vec![
        dot(model.fresh.contains(&post.id), manner),
        Span::styled((manner.when)(post.stamp), manner.style(Tone::Faint)),
        Span::raw(" "),
        Span::styled(safe(post.name.as_str()), manner.style(Tone::Name)),
        Span::styled(community.unwrap_or_default(), manner.style(Tone::Faint)),
        Span::raw("  "),
        Span::raw(safe(&shown::what(post))),
    ])
}

fn talk_row<'a>(talk: &Talk, manner: &Manner<'_>) -> Line<'a> {
    let kind = match (&talk.peer, talk.standing) {
        (Peer::Sip(_), _) => " (from SIP, not encrypted)",
        (_, Standing::Stranger) => " (a stranger)",
        _ => "",
    };
    let last = talk.messages.last().map(|(_, _, kept)| safe(&kept.text)).unwrap_or_default();
    Line::from(vec![
        dot(talk.unread > 0, manner),
        Span::styled(safe(&talk.label), manner.style(Tone::Name)),
        Span::styled(kind, manner.style(Tone::Faint)),
        Span::raw("  "),
        Span::raw(last),
    ])
}

fn present_row<'a>(present: &Present, manner: &Manner<'_>) -> Line<'a> {
    let profile = present.person.profile.as_ref();
    let full_name = profile.map(|profile| safe(&profile.full_name)).unwrap_or_default();
    let mut spans = vec![
        Span::raw("  "),
        Span::styled(safe(present.person.name.as_str()), manner.style(Tone::Name)),
    ];
    let mut also = |what: String| {
        if !what.is_empty() {
            spans.push(Span::raw(format!("  {what}")));
        }
    };
    also(full_name);
    also(safe(&present.status));
    if present.sessions == 0 {
        also("by telephone only".to_owned());
    } else if !present.phones.is_empty() {
        also("and by telephone".to_owned());
    }
    Line::from(spans)
}

fn post(
    model: &Model,
    shared: &Shared,
    manner: &Manner<'_>,
    frame: &mut Frame<'_>,
    area: Rect,
) -> usize {
    let post = &shared.post;
    let width = usize::from(area.width.saturating_sub(FRAME));
    let mut lines: Vec<Line<'_>> = wrap::lines(&post.text, width);
    if post.long.is_some() {
        let more = format!("all of it: whatsup posts {} {}", safe(post.name.as_str()), post.id);
        lines.extend(wrap::lines(&more, width));
    }
    lines.extend(wrap::lines(post.link.as_deref().unwrap_or_default(), width));
    if let Some(file) = &post.file {
        let name = post.name.as_str();
        let from = match post.community {
            Some(id) => format!("{} --from {id}", post.id),
            None => format!("{name} {}", post.id),
        };
        let size = shown::size(file.blob.size);
        let file = format!("[{}, {size}] whatsup fetch {from}", file.name);
        lines.extend(wrap::lines(&file, width));
    }
    lines.push(Line::default());
    match &model.comments {
        None => lines.push(Line::styled("reading what is said…", manner.style(Tone::Faint))),
        Some(said) if said.is_empty() => {
            lines.push(Line::styled("nobody said anything about it", manner.style(Tone::Faint)));
        }
        Some(said) => {
            for comment in said {
                let head = format!("{}  {}", (manner.when)(comment.stamp), safe(&comment.who()));
                lines.push(Line::styled(head, manner.style(Tone::Name)));
                lines.extend(wrap::indented(&comment.text, width));
            }
        }
    }
    let community = shared.community.as_ref().map(|title| format!(" in {}", safe(title)));
    let title = format!(
        "{}{}, {}",
        safe(post.name.as_str()),
        community.unwrap_or_default(),
        (manner.when)(post.stamp)
    );
    text(lines, &title, model.scroll, manner, frame, area)
}

fn talk(
    model: &Model,
    peer: &Peer,
    label: &str,
    manner: &Manner<'_>,
    frame: &mut Frame<'_>,
    area: Rect,
) -> usize {
    let width = usize::from(area.width.saturating_sub(FRAME));
    let mut lines: Vec<Line<'_>> = Vec::new();
    if matches!(peer, Peer::Sip(_)) {
        let warning = "FROM SIP, NOT ENCRYPTED: anybody may have written and read this";
        let trouble = |line: Line<'static>| line.style(manner.style(Tone::Trouble));
        lines.extend(wrap::lines(warning, width).into_iter().map(trouble));
    }
    let held = model.talk(peer);
    for (stamp, _, kept) in held.iter().flat_map(|talk| &talk.messages) {
        let (who, state) = match kept.mine {
            Some(state) => ("you".to_owned(), super::super::say::shown(state)),
            None => (safe(label), String::new()),
        };
        let head = format!("{}  {who}", (manner.when)(*stamp));
        lines.push(Line::from(vec![
            Span::styled(head, manner.style(Tone::Name)),
            Span::styled(format!("  {state}").trim_end().to_owned(), manner.style(Tone::Faint)),
        ]));
        lines.extend(wrap::indented(&kept.text, width));
    }
    if held.is_none_or(|talk| talk.messages.is_empty()) {
        let none = "nothing was said yet; c writes";
        lines.push(Line::styled(none, manner.style(Tone::Faint)));
    }
    if held.is_some_and(|talk| talk.standing == Standing::Stranger && peer_is_person(peer)) {
        let hint =
            "A stranger, who is not told that you have this. Whoever you answer is one no more.";
        let faint = |line: Line<'static>| line.style(manner.style(Tone::Faint));
        lines.extend(wrap::lines(hint, width).into_iter().map(faint));
    }
    // From the end.
    let height = usize::from(area.height.saturating_sub(FRAME));
    let scroll_max = lines.len().saturating_sub(height);
    text(lines, &safe(label), scroll_max.saturating_sub(model.scroll), manner, frame, area)
}

fn peer_is_person(peer: &Peer) -> bool {
    matches!(peer, Peer::Person(_))
}

/// Lines in a frame, from one of them on; how far they can be scrolled.
fn text(
    lines: Vec<Line<'_>>,
    title: &str,
    scroll: usize,
    manner: &Manner<'_>,
    frame: &mut Frame<'_>,
    area: Rect,
) -> usize {
    let style = manner.style(Tone::Title);
    let title = Span::styled(title.to_owned(), style);
    let block = Block::bordered().border_style(style).title(title);
    let height = usize::from(area.height.saturating_sub(FRAME));
    let scroll_max = lines.len().saturating_sub(height);
    let lines = lines.into_iter().skip(scroll.min(scroll_max)).take(height);
    let text = Text::from(lines.collect::<Vec<_>>());
    frame.render_widget(Paragraph::new(text).block(block), area);
    scroll_max
}

#[cfg(test)]
mod tests;
