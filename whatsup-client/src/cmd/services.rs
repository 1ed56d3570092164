//! `whatsup services`.

use base::ServiceId;
use serde_json::json;

use super::answer::Answer;
use super::context::Context;
use super::error::CommandError;
use crate::overlay::Ask;
use crate::text;

/// `whatsup services`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The service whose providers are listed; without it the services are
    pub service: Option<String>,
}

pub(super) async fn run(args: Args, context: &Context<'_>) -> Result<Answer, CommandError> {
    let Some(service) = args.service else {
        let services = context.net().texts(Ask::Services).await?;
        let json = json!({ "services": services });
        return Ok(match &services[..] {
            [] => Answer::nothing(json, "nobody offers a service"),
            services => Answer::done(json, lines(services)),
        });
    };
    let service =
        ServiceId::new(&service).map_err(|error| CommandError::Usage(error.to_string()))?;
    let ask = Ask::Lookup { service: service.as_str().to_owned() };
    let contacts = context.net().texts(ask).await?;
    let json = json!({ "service": service.as_str(), "contacts": contacts });
    Ok(match &contacts[..] {
        [] => Answer::nothing(json, format_args!("nobody offers {service}")),
        contacts => Answer::done(json, lines(contacts)),
    })
}

fn lines(texts: &[String]) -> String {
    texts.iter().map(|line| format!("{}\n", text::shown(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Person;

    #[tokio::test]
    async fn services_and_who_offers_them_are_listed() {
        let person = Person::new();
        let none = person.run("services").await;
        assert_eq!((none.code, &*none.err), (1, "nobody offers a service\n"));
        person.memory.offer("printing", vec!["192.0.2.1:631".into(), "evil\u{1b}[2J".into()]);
        assert_eq!(person.run("services").await.out, "printing\n");
        let found = person.run("services printing").await;
        assert_eq!(found.out, "192.0.2.1:631\nevil\u{fffd}[2J\n");
        let json = person.json("services printing").await;
        assert_eq!(json["contacts"][0], "192.0.2.1:631");
        assert_eq!(person.run("services other").await.code, 1);
        let wrong = person.run_with(&["services", "a b"], "").await;
        assert_eq!(wrong.code, 2, "{}", wrong.err);
    }
}
