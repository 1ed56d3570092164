//! What is asked of a drill.

/// What is asked of a drill.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Repeats the random choices of an earlier run.
    pub(crate) seed: u64,
    /// How large it is.
    pub(crate) size: Size,
}

/// How large a drill is. Without these it is as short as can be and still show something.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Size {
    /// With `churn`: how long nodes are killed and replaced; then one every 20 s.
    #[arg(long, value_name = "M")]
    pub(crate) minutes: Option<f64>,
    /// With `churn` and `partition`: how many super-nodes.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(4..=120))]
    pub(crate) nodes: Option<u8>,
    /// With `churn`: how many values are put before and read.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) entries: Option<u32>,
    /// With `partition` and `evening-apart`: how long the two halves are apart. With `evening`: from one
    /// kill to the next.
    #[arg(long, value_name = "S")]
    pub(crate) seconds: Option<u32>,
    /// With `partition`: how many puts each half does meanwhile.
    #[arg(long, value_name = "N")]
    pub(crate) puts: Option<u32>,
    /// With `partition`: how many removals.
    #[arg(long, value_name = "N")]
    pub(crate) removals: Option<u32>,
    /// With `evening` and `evening-apart`: how many people come.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(4..=1000))]
    pub(crate) people: Option<u32>,
    /// With `evening` and `evening-apart`: how many posts they share.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) posts: Option<u32>,
}

impl Size {
    /// The options that were given, with their values.
    fn options(&self) -> impl Iterator<Item = (&'static str, String)> {
        let Size { minutes, nodes, entries, seconds, puts, removals, people, posts } = self;
        [
            ("--minutes", minutes.map(|minutes| minutes.to_string())),
            ("--nodes", nodes.map(|nodes| nodes.to_string())),
            ("--entries", entries.map(|entries| entries.to_string())),
            ("--seconds", seconds.map(|seconds| seconds.to_string())),
            ("--puts", puts.map(|puts| puts.to_string())),
            ("--removals", removals.map(|removals| removals.to_string())),
            ("--people", people.map(|people| people.to_string())),
            ("--posts", posts.map(|posts| posts.to_string())),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }

    /// The names of the options that were given.
    pub(super) fn given(&self) -> impl Iterator<Item = &'static str> {
        self.options().map(|(name, _)| name)
    }
}

impl Request {
    /// The command line that asks for the same.
    pub(super) fn arguments(&self) -> Vec<String> {
        let size = self.size.options().flat_map(|(name, value)| [name.to_owned(), value]);
        ["--seed".to_owned(), self.seed.to_string()].into_iter().chain(size).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inner_half_is_asked_for_the_same() {
        let size = Size { seconds: Some(15), minutes: Some(0.5), ..Size::default() };
        let request = Request { seed: 7, size };
        assert_eq!(request.arguments(), ["--seed", "7", "--minutes", "0.5", "--seconds", "15"]);
        assert_eq!(request.size.given().collect::<Vec<_>>(), ["--minutes", "--seconds"]);
    }
}
