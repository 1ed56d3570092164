//! Long frames, and those they must not hold up.

use super::support::{Answers, answer, get, listing, pair};
use crate::link::{Lost, Response};
use crate::wire::{Refusal, Reply, Request};

const LONG: usize = 64 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn long_and_short_replies_come_together() {
    let (one, other) = pair(Answers::values(), Answers::values()).await;
    let sizes = [10, LONG, 100, 9000, LONG, 8000, 1, LONG];
    let mut asked: Vec<_> = (0..400)
        .map(|i| sizes[i % sizes.len()])
        .map(|size| (size, one.send(other.id, get(size)), other.send(one.id, get(size))))
        .collect();
    for (size, one, other) in &mut asked {
        assert_eq!(answer(one).await, Ok(listing(*size)));
        assert_eq!(answer(other).await, Ok(listing(*size)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_replies_do_not_hold_up_short_ones() {
    // Its windows hold much less than this: most of it is under way when the probe is asked.
    let (one, other) = pair(Answers::alive(), Answers::values()).await;
    let mut long: Vec<_> = (0..200).map(|_| one.send(other.id, get(LONG))).collect();
    assert_eq!(one.ask(other.id, Request::Probe).await, Ok(Reply::Alive(7)));
    let arrived = long.iter_mut().filter_map(|long| long.try_recv().ok()).count();
    assert!(arrived < 200, "the probe came last");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_requests_arrive_too() {
    let answers = Answers::by(|_, request| match request {
        Request::Apply { entry, .. } => {
            let length = entry.value().map_or(0, |value| value.as_bytes().len());
            Response::Now(listing(length))
        }
        _ => Response::Now(Reply::Alive(7)),
    });
    let (one, other) = pair(Answers::alive(), answers).await;
    let Reply::Listed(listed) = listing(LONG) else { unreachable!() };
    let place = base::Place::of(b"place");
    let apply = Request::Apply { place, entry: listed.entries[0].clone(), repair: false };
    let mut asked: Vec<_> = (0..20).map(|_| one.send(other.id, apply.clone())).collect();
    for asked in &mut asked {
        assert_eq!(answer(asked).await, Ok(listing(LONG)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_full_turns_away() {
    let (one, other) = pair(Answers::alive(), Answers::never()).await;
    let Reply::Listed(listed) = listing(LONG) else { unreachable!() };
    let place = base::Place::of(b"place");
    let apply = Request::Apply { place, entry: listed.entries[0].clone(), repair: false };
    // In work, on the way and queued there is room for less than this.
    let mut asked: Vec<_> = (0..1000).map(|_| one.send(other.id, apply.clone())).collect();
    let turned_away = asked.iter_mut().filter_map(|asked| asked.try_recv().ok());
    let lost: Vec<_> = turned_away.map(|answer| answer.reply).collect();
    assert!(lost.iter().all(|reply| *reply == Err(Lost::Busy)), "{lost:?}");
    assert!(lost.len() > 500, "{}", lost.len());
    // The small lane is not affected.
    one.send(other.id, Request::Probe);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_is_too_long_is_refused_instead() {
    let answers = Answers::by(|_, _| {
        let Reply::Listed(mut listed) = listing(LONG) else { unreachable!() };
        listed.entries = vec![listed.entries[0].clone(); 9];
        Response::Now(Reply::Listed(listed))
    });
    let (one, other) = pair(Answers::alive(), answers).await;
    let reply = one.ask(other.id, get(1)).await;
    assert!(matches!(reply, Ok(Reply::Refused { why: Refusal::Failed, .. })), "{reply:?}");
}
