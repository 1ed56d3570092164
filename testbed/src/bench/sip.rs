//! SIP: one super-node against Kamailio, by the same scenarios; nine, and what the overlay costs a call;
//! what a registration weighs.

mod alone;
mod event;
mod setup;
mod weight;

use anyhow::{Context, Result};

use super::Settings;
use super::report::Report;
use crate::sip::{kamailio, sipp};

/// More than any load here asks for: limits are for strangers, and all of this comes from few addresses.
const NO_LIMIT: &str = "0";

/// Measures all.
pub(super) fn measure(settings: &Settings) -> Result<Report> {
    sipp::required()?;
    kamailio::required()?;
    let dir = settings.temp_dir()?;
    let mut report = Report::new("SIP: super-nodes against Kamailio, loopback, UDP");
    alone::measure(&mut report, settings, dir.path()).context("one super-node")?;
    event::measure(&mut report, settings, dir.path()).context("nine super-nodes")?;
    weight::measure(&mut report, settings).context("registrations")?;
    report.note(
        "Both stay on the way of every call (Record-Route), since what is registered is not where it came \
         from. Load is sipp's, on the same cores. Held is a rate all of whose requests were answered \
         without one having been sent again.",
    );
    Ok(report)
}
