//! JsSIP over WebSockets, among itself and with baresip. Its Contact leads nowhere but along the
//! connection that registered it.

use anyhow::{Result, ensure};

use super::{ANSWER_LIMIT, Stage, sip_of};
use crate::cluster::Cluster;
use crate::sip::baresip::{Agent, Baresip};
use crate::sip::jssip::JsSip;

pub(super) fn run(stage: &mut Stage<'_>, cluster: &mut Cluster) -> Result<()> {
    let start = |user: &str, number: usize| {
        let mut page = JsSip::start(stage.dir, user, cluster.node(number)?.http(), "")?;
        page.wait_for("registered", ANSWER_LIMIT)?;
        Ok::<_, anyhow::Error>(page)
    };
    let (mut wendy, mut xaver) = (start("wendy", 0)?, start("xaver", 1)?);
    let (node, listen, control) = (sip_of(cluster, 2)?, stage.free()?, stage.free()?);
    let agent = Agent {
        user: "yvonne",
        node,
        listen,
        control,
        transport: "udp",
        password: "",
        patience_s: 10,
    };
    let mut yvonne = Baresip::registered(stage.dir, &agent, ANSWER_LIMIT)?;
    let checks = &mut stage.checks;
    checks.check("JsSIP: MESSAGEs go both ways between two super-nodes", || {
        said(&mut wendy, &mut xaver, "wendy", "xaver", "good morning")?;
        said(&mut xaver, &mut wendy, "xaver", "wendy", "to you, too")
    });
    checks.check("JsSIP: a MESSAGE to nobody is said to have reached nobody", || {
        wendy.order("message sip:nobody@scope hello")?;
        let status = wendy.wait_for("unsent", ANSWER_LIMIT)?;
        ensure!(status == "480", "{status} instead of 480");
        Ok(())
    });
    checks.check("JsSIP: a call is signalled, and ended by its caller", || {
        ring(&mut wendy, &mut xaver, "wendy", "xaver")?;
        xaver.order("answer")?;
        wendy.wait_for("confirmed", ANSWER_LIMIT)?;
        xaver.wait_for("confirmed", ANSWER_LIMIT)?;
        wendy.order("hangup")?;
        xaver.wait_for("ended", ANSWER_LIMIT)?;
        Ok(())
    });
    checks.check("JsSIP: a call is signalled, and ended by its callee", || {
        ring(&mut xaver, &mut wendy, "xaver", "wendy")?;
        wendy.order("answer")?;
        xaver.wait_for("confirmed", ANSWER_LIMIT)?;
        wendy.wait_for("confirmed", ANSWER_LIMIT)?;
        wendy.order("hangup")?;
        xaver.wait_for("ended", ANSWER_LIMIT)?;
        Ok(())
    });
    checks.check("JsSIP: a call is cancelled, and one declined", || {
        ring(&mut wendy, &mut xaver, "wendy", "xaver")?;
        wendy.order("hangup")?;
        xaver.wait_for("failed", ANSWER_LIMIT)?;
        wendy.wait_for("failed", ANSWER_LIMIT)?;
        ring(&mut xaver, &mut wendy, "xaver", "wendy")?;
        wendy.order("hangup")?;
        wendy.wait_for("failed", ANSWER_LIMIT)?;
        let why = xaver.wait_for("failed", ANSWER_LIMIT)?;
        ensure!(why.starts_with("480 ") || why.starts_with("603 "), "{why:?}");
        Ok(())
    });
    checks.check("JsSIP and baresip have no medium in common, and both are told so", || {
        wendy.order("call sip:yvonne@scope")?;
        let why = wendy.wait_for("failed", ANSWER_LIMIT)?;
        ensure!(why.starts_with("488 "), "JsSIP's call failed with {why:?} instead of 488");
        // A super-node knows that a browser takes no such media, and does not even let it ring.
        yvonne.order("dial", &format!("sip:wendy@{node}"))?;
        let why = yvonne.wait_for("CALL_CLOSED", ANSWER_LIMIT)?;
        ensure!(why.starts_with("488 "), "baresip's call failed with {why:?} instead of 488");
        Ok(())
    });
    Ok(())
}

fn said(from: &mut JsSip, to: &mut JsSip, sender: &str, taker: &str, text: &str) -> Result<()> {
    from.order(&format!("message sip:{taker}@scope {text}"))?;
    let heard = to.wait_for("message", ANSWER_LIMIT)?;
    ensure!(heard == format!("{sender} {text}"), "{heard:?} was heard");
    from.wait_for("sent", ANSWER_LIMIT)?;
    Ok(())
}

fn ring(from: &mut JsSip, to: &mut JsSip, caller: &str, callee: &str) -> Result<()> {
    from.order(&format!("call sip:{callee}@scope"))?;
    let who = to.wait_for("incoming", ANSWER_LIMIT)?;
    ensure!(who == caller, "{who:?} calls");
    from.wait_for("progress", ANSWER_LIMIT)?;
    Ok(())
}
