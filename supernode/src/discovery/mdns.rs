//! Multicast DNS, as the library `mdns-sd` does it: a thread of its own, started and listened to.

use std::time::Duration;

use mdns_sd::{DaemonEvent, Receiver, ResolvedService, ServiceDaemon, ServiceEvent};

use super::announcement::{Announcement, SERVICE};

/// Most records that the library may remember, which it does not bound itself: a dozen for each of a
/// thousand super-nodes.
const RECORDS_MAX: i64 = 12_000;
/// How long a withdrawal takes: the library sends it again after 120 ms, for one may be lost.
const GOODBYE: Duration = Duration::from_millis(200);

/// Multicast DNS that runs. Ends when it is dropped.
pub(super) struct Mdns {
    daemon: ServiceDaemon,
    services: Receiver<ServiceEvent>,
    events: Receiver<DaemonEvent>,
    /// What is registered, to be withdrawn.
    fullnames: Vec<String>,
}

/// What happens there.
#[derive(Debug)]
pub(super) enum Heard {
    /// A super-node announces itself, or something about its announcement changed.
    Announced(Box<ResolvedService>),
    /// The announcement of this name was withdrawn, or has expired.
    Withdrawn(String),
    /// This machine has other addresses.
    NetworkChanged,
    /// Something that is not to happen.
    Trouble(String),
    /// Nothing more will: we were too slow to listen, or the thread is gone.
    Closed,
}

impl Mdns {
    /// Announces this node, and asks for others.
    ///
    /// # Errors
    /// The system's, such as that no thread can be started. Interfaces that fail are left out, and
    /// tried again every few seconds.
    pub(super) fn start(announcement: &Announcement) -> mdns_sd::Result<Mdns> {
        let service = announcement.service()?;
        let interfaces = announcement.interfaces();
        let all: Vec<_> = std::iter::once(service).chain(announcement.phones()?).collect();
        let fullnames = all.iter().map(|service| service.get_fullname().to_owned()).collect();
        let daemon = ServiceDaemon::new()?;
        // From here on the thread runs, and whatever goes wrong must end it.
        let begin = || {
            let events = daemon.monitor()?;
            daemon.disable_interface(interfaces.without)?;
            daemon.enable_interface(interfaces.with)?;
            all.into_iter().try_for_each(|service| daemon.register(service))?;
            Ok((daemon.browse(SERVICE)?, events))
        };
        match begin() {
            Ok((services, events)) => Ok(Mdns { daemon, services, events, fullnames }),
            Err(error) => {
                let _ = daemon.shutdown();
                Err(error)
            }
        }
    }

    /// What happens next. May be dropped and called again; nothing is lost.
    pub(super) async fn heard(&self) -> Heard {
        loop {
            tokio::select! {
                event = self.services.recv_async() => match event {
                    Ok(ServiceEvent::ServiceResolved(service)) => return Heard::Announced(service),
                    Ok(ServiceEvent::ServiceRemoved(_, name)) => return Heard::Withdrawn(name),
                    Ok(_) => {}
                    Err(_) => return Heard::Closed,
                },
                event = self.events.recv_async() => match event {
                    Ok(DaemonEvent::IpAdd(_) | DaemonEvent::IpDel(_)) => return Heard::NetworkChanged,
                    Ok(DaemonEvent::Error(error)) => return Heard::Trouble(error.to_string()),
                    Ok(_) => {}
                    Err(_) => return Heard::Closed,
                },
            }
        }
    }

    /// Asks as if for the first time. The library asks less and less often, up to once an hour, and
    /// relies on newcomers announcing themselves; but two networks may become one.
    pub(super) fn ask_again(&mut self) {
        // When its queue is full, the next time will do.
        if let Ok(services) = self.daemon.browse(SERVICE) {
            self.services = services;
        }
    }

    /// Whether more was announced than can be meant seriously.
    pub(super) async fn is_flooded(&self) -> bool {
        let Ok(counts) = self.daemon.get_metrics() else { return false };
        let Ok(counts) = counts.recv_async().await else { return false };
        let records = counts.iter().filter(|(name, _)| name.starts_with("cached-"));
        records.map(|(_, count)| count).sum::<i64>() > RECORDS_MAX
    }

    /// Tells the others that this node is leaving.
    pub(super) async fn goodbye(self) {
        let said = self.fullnames.iter().filter_map(|name| self.daemon.unregister(name).ok());
        for done in said.collect::<Vec<_>>() {
            let _ = done.recv_async().await;
        }
        tokio::time::sleep(GOODBYE).await;
    }
}

impl Drop for Mdns {
    fn drop(&mut self) {
        // The thread holds a handle to itself and would go on.
        let _ = self.daemon.shutdown();
    }
}
