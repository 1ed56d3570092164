//! [`Party`]: the people of an evening, each with a client of her own at a super-node of her hall.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base::{Name, SigningKey, Ttl};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, sleep};
use whatsup::claiming::{Outcome, claim};
use whatsup::community::{Community, CommunityError, Description, Poll};
use whatsup::feed::Mark;
use whatsup::index::{self, Said as Indexed, Thing};
use whatsup::keys::ThingId;
use whatsup::overlay::Http;
use whatsup::post::{Attachment, Draft};
use whatsup::posts::PostError;
use whatsup::{Author, Net, profile};

use super::model::Model;
use super::script::Script;

/// People who do something at a time.
const AT_ONCE: usize = 12;
/// Between two tries of what does not work.
const PAUSE: Duration = Duration::from_millis(500);

/// The people, and what they did.
pub(super) struct Party {
    pub(super) script: Script,
    pub(super) guests: Vec<Guest>,
    communities: Vec<Mutex<Option<Community>>>,
    polls: Vec<Mutex<Option<ThingId>>>,
    model: Mutex<Model>,
    again: AtomicUsize,
    patience: Duration,
}

/// One of them.
pub(super) struct Guest {
    pub(super) author: Author,
    pub(super) net: Net,
    /// Which hall she is in.
    pub(super) hall: usize,
}

impl Party {
    /// People at the super-nodes of two halls, in turns. `patience` is how long each of them tries what does
    /// not work.
    pub(super) fn new(
        script: Script,
        http: &[Vec<SocketAddr>; 2],
        patience: Duration,
    ) -> Result<Party> {
        let guest = |(number, guest): (usize, &super::script::Guest)| {
            let hall = number % http.len();
            let mut nodes = http[hall].clone();
            let first = number / http.len() % nodes.len();
            nodes.rotate_left(first);
            let urls = nodes.iter().map(|node| format!("http://{node}").parse());
            let urls = urls.collect::<Result<Vec<_>, _>>()?;
            let seed = blake3::hash(guest.name.as_bytes());
            let author =
                Author::new(Name::new(&guest.name)?, SigningKey::from_bytes(seed.as_bytes()));
            Ok(Guest { author, net: Net::new(Http::new(urls, None)), hall })
        };
        let guests = script.guests.iter().enumerate().map(guest).collect::<Result<_>>()?;
        Ok(Party {
            communities: script.founders.iter().map(|_| Mutex::default()).collect(),
            polls: script.polls.iter().map(|_| Mutex::default()).collect(),
            guests,
            script,
            model: Mutex::default(),
            again: AtomicUsize::new(0),
            patience,
        })
    }

    /// What was accepted.
    pub(super) fn model(&self) -> MutexGuard<'_, Model> {
        lock(&self.model)
    }

    /// How often something had to be tried again.
    pub(super) fn tried_again(&self) -> usize {
        self.again.load(Ordering::Relaxed)
    }

    /// A community, as somebody reads it.
    pub(super) fn community(&self, number: usize, by: usize) -> Result<Community> {
        let founded = lock(&self.communities[number]).clone();
        let id = founded.context("the community was not founded")?.id();
        Ok(self.guests[by].net.community(id))
    }

    /// A poll's id.
    pub(super) fn poll(&self, number: usize) -> Result<ThingId> {
        lock(&self.polls[number]).context("the poll was not asked")
    }

    /// Names, profiles, communities and polls; who is in which.
    pub(super) async fn arrive(&self) -> Result<()> {
        self.each(0..self.guests.len(), |n| self.enter(n)).await?;
        self.each(0..self.script.founders.len(), |n| self.found(n)).await?;
        self.each(0..self.guests.len(), |n| self.join(n)).await?;
        self.each(0..self.script.polls.len(), |n| self.ask(n)).await
    }

    /// All that is said, taken back and voted; each person does one thing after the other.
    pub(super) async fn spend(&self) -> Result<()> {
        self.each(0..self.guests.len(), |n| self.spend_hers(n)).await
    }

    async fn each<'a, F>(
        &'a self,
        numbers: impl Iterator<Item = usize>,
        one: impl Fn(usize) -> F,
    ) -> Result<()>
    where
        F: Future<Output = Result<()>> + 'a,
    {
        stream::iter(numbers.map(one)).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn enter(&self, number: usize) -> Result<()> {
        let (Guest { author, net, .. }, guest) =
            (&self.guests[number], &self.script.guests[number]);
        let claimed = self.insist("claim", || claim(net, author, Ttl::MAX)).await?;
        ensure!(claimed == Outcome::Confirmed, "{} has {claimed:?}", guest.name);
        let edited = self.insist("profile", || {
            profile::edit(net, author, |profile| {
                profile.full_name = format!("Guest Number {number}");
                profile.company = guest.company.clone();
                profile.interests = guest.interests.clone();
            })
        });
        let profile = edited.await?;
        let interests = profile.interests.join(" ");
        let texts = [&*profile.full_name, &profile.company, &interests];
        let said = Indexed { title: &guest.name, texts: &texts, stamp: author.stamp([]) };
        let thing = Thing::Person(author.name().clone());
        self.insist("index", || index::put(net, author, &thing, said, Ttl::MAX)).await
    }

    async fn found(&self, number: usize) -> Result<()> {
        let Guest { author, net, .. } = &self.guests[self.script.founders[number]];
        let description = Description::new(author.name(), &format!("Community {number}"), "")?;
        let founded = self.insist("found", || net.found(author, description.clone())).await?;
        *lock(&self.communities[number]) = Some(founded);
        Ok(())
    }

    async fn join(&self, number: usize) -> Result<()> {
        for community in &self.script.guests[number].joins {
            let community = self.community(*community, number)?;
            let author = &self.guests[number].author;
            self.insist("join", || community.join(author)).await?;
        }
        Ok(())
    }

    async fn ask(&self, number: usize) -> Result<()> {
        let asked = &self.script.polls[number];
        let author = &self.guests[asked.by].author;
        let community = self.community(asked.community, asked.by)?;
        let poll =
            Poll::new(author.name(), &asked.question, &asked.options, false, author.stamp([]))?;
        let view = self.insist("view", || community.view()).await?;
        let told = self.insist("ask", || community.ask(author, &view, &poll)).await?;
        *lock(&self.polls[number]) = Some(told.id);
        Ok(())
    }

    async fn spend_hers(&self, by: usize) -> Result<()> {
        let hers = |(n, said): (usize, &super::script::Said)| (said.by == by).then_some(n);
        for number in self.script.said.iter().enumerate().filter_map(hers) {
            match self.script.said[number].community {
                Some(community) => self.tell(by, number, community).await?,
                None => self.share(by, number).await?,
            }
        }
        for vote in self.script.votes.iter().filter(|vote| vote.by == by) {
            let (author, poll) = (&self.guests[by].author, &self.script.polls[vote.poll]);
            let community = self.community(poll.community, by)?;
            let id = self.poll(vote.poll)?;
            let view = self.insist("view", || community.view()).await?;
            let shown = self.insist("poll", || community.poll(&view, id)).await?;
            self.insist("vote", || community.vote(author, &view, &shown, vote.choice + 1)).await?;
            self.model().votes.insert((vote.poll, by), vote.choice);
        }
        Ok(())
    }

    async fn share(&self, by: usize, number: usize) -> Result<()> {
        let (Guest { author, net, .. }, said) = (&self.guests[by], &self.script.said[number]);
        let file = match said.picture {
            true => Some(self.picture(by, number).await?),
            false => None,
        };
        let draft = Draft { text: said.text.clone(), file, ..Draft::default() };
        let posts = net.posts();
        // One that failed half way may be there: it is looked for, not said twice.
        let shared = self.insist("share", || async {
            let there = posts.of(author.name()).await?.posts;
            match there.into_iter().find(|post| post.text == said.text) {
                Some(post) => {
                    posts.refresh(author, None).await?;
                    Ok::<_, PostError>(post)
                }
                None => Ok(posts.share(author, &draft).await?.post),
            }
        });
        let post = shared.await?;
        self.insist("index", || posts.index(author, &post)).await?;
        self.model().shared.insert(number, Mark::of(&post));
        if said.taken_back {
            let deleted = self.insist("delete", || async {
                match posts.delete(author, post.id, &[]).await {
                    // Gone by a try before.
                    Err(PostError::NoSuchPost(_)) => Ok(()),
                    other => other.map(|_| ()),
                }
            });
            deleted.await?;
            self.model().taken_back.insert(number);
        }
        Ok(())
    }

    async fn picture(&self, by: usize, number: usize) -> Result<Attachment> {
        let Guest { author, net, .. } = &self.guests[by];
        let picture = whatsup::picture::picture(painted(number)?.into()).await?;
        let blobs = net.blobs();
        let bytes = whatsup::blob::Source::Bytes(picture.bytes.clone());
        let thumbnail = whatsup::blob::Source::Bytes(picture.thumbnail.clone());
        let blob = self.insist("picture", || blobs.share(author, &bytes, &|_| ())).await?;
        let small = self.insist("thumbnail", || blobs.share(author, &thumbnail, &|_| ())).await?;
        Ok(Attachment {
            blob,
            name: format!("picture-{number}.{}", picture.ending),
            media: picture.media.to_owned(),
            thumbnail: Some(small),
            pixels: Some((picture.width, picture.height)),
        })
    }

    async fn tell(&self, by: usize, number: usize, community: usize) -> Result<()> {
        let (author, said) = (&self.guests[by].author, &self.script.said[number]);
        let community = self.community(community, by)?;
        let draft = Draft { text: said.text.clone(), ..Draft::default() };
        let told = self.insist("tell", || async {
            let view = community.view().await?;
            let there = community.news(&view).await?;
            let same = |news: &&whatsup::community::Shown<_>| {
                news.post(community.id()).is_some_and(|post| post.text == said.text)
            };
            match there.iter().find(same) {
                Some(news) => Ok::<_, CommunityError>((news.id, false)),
                None => {
                    let told = community.share(author, &view, &draft).await?;
                    Ok((told.id, told.indexed.is_ok()))
                }
            }
        });
        let (id, is_indexed) = told.await?;
        if !is_indexed {
            self.insist("index", || community.keep(author)).await?;
        }
        let placed = self.insist("look", || async {
            let view = community.view().await?;
            let news = community.news(&view).await?;
            Ok::<_, CommunityError>(news.into_iter().find(|one| one.id == id))
        });
        let news = placed.await?.context("what was told is not among the news")?;
        let post = news.post(community.id()).context("what was told cannot be read")?;
        self.model().news.insert(number, Mark::of(&post));
        Ok(())
    }

    /// Does something until it works, as a person would.
    async fn insist<T, E, F>(&self, what: &str, act: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T, E>>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let until = Instant::now() + self.patience;
        loop {
            match act().await {
                Ok(done) => return Ok(done),
                Err(error) if Instant::now() >= until => {
                    return Err(anyhow::Error::new(error).context(what.to_owned()));
                }
                Err(_) => {
                    self.again.fetch_add(1, Ordering::Relaxed);
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

/// An image that no other number has.
fn painted(number: usize) -> Result<Vec<u8>> {
    let shade = |x: u32, y: u32| {
        let mix = x.wrapping_mul(7) ^ y.wrapping_mul(13) ^ u32::try_from(number).unwrap_or(0);
        image::Rgb([(mix & 0xff) as u8, (x & 0xff) as u8, (y & 0xff) as u8])
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_fn(640, 480, shade).write_to(&mut bytes, image::ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
