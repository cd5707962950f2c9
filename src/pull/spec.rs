//! The command line of `veneer-pull`, checked.
//! It opens nothing; whether the files are there shows when they are used.
//! The options are those of veneer-pull@.service(8); units name them, so they stay.

use crate::app::Pull;
use crate::oci::document::Platform;
use crate::origin::Origin;
use crate::path::AbsPath;
use clap::Parser;
use std::time::Duration;

/// Fetches a container image from a registry or from this machine's own storage, or builds it, for the store.
#[derive(Debug, Parser)]
#[command(name = "veneer-pull", version, arg_required_else_help = true)]
pub struct Arguments {
    /// What to fetch: docker://REGISTRY/NAME[:TAG][@DIGEST], containers-storage:NAME, build:CONTEXT[:FILE]
    #[arg(value_name = "REFERENCE", value_parser = pulled)]
    origin: Origin,
    /// Look again, though the store has it
    #[arg(long)]
    always: bool,
    /// Names and passwords for registries, instead of /etc/veneer/auth.json
    #[arg(long, value_name = "FILE", value_parser = AbsPath::parse)]
    auth_file: Option<AbsPath>,
    /// Which images are taken, instead of /etc/veneer/policy.json
    #[arg(long, value_name = "FILE", value_parser = AbsPath::parse)]
    policy: Option<AbsPath>,
    /// Which registries there are, instead of /etc/veneer/registries.conf
    #[arg(long, value_name = "FILE", value_parser = AbsPath::parse)]
    registries: Option<AbsPath>,
    /// Certificates of registries, instead of /etc/veneer/certs.d
    #[arg(long, value_name = "DIR", value_parser = AbsPath::parse)]
    certificates: Option<AbsPath>,
    /// The machine that the image is for, like linux/arm64; this one if not given
    #[arg(long, value_parser = Platform::parse)]
    platform: Option<Platform>,
    /// How often it is tried again when a registry cannot be reached, or breaks off
    #[arg(long, value_name = "COUNT", default_value_t = 4)]
    retries: u32,
    /// How many seconds may pass without a byte
    #[arg(long, value_name = "SECONDS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    patience: u32,
    /// Show the steps and change nothing
    #[arg(long)]
    dry_run: bool,
}

fn pulled(text: &str) -> Result<Origin, String> {
    let origin = Origin::parse(text)?;
    match origin.is_pulled() {
        true => Ok(origin),
        false => Err(format!("{origin} needs no pull: veneer-convert reads it as it is")),
    }
}

/// What is done of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// It is fetched if the store has it not.
    Missing,
    /// It is looked for again.
    Always,
    /// It is only said what would be done.
    Shown,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// What to fetch.
    pub origin: Origin,
    /// Whether it is fetched.
    pub when: When,
    /// The files that say how.
    pub files: Pull,
    /// For which machine.
    pub platform: Platform,
    /// How often it is tried again.
    pub retries: u32,
    /// How long nothing may come.
    pub patience: Duration,
}

impl From<Arguments> for Spec {
    fn from(typed: Arguments) -> Self {
        let when = match (typed.dry_run, typed.always) {
            (true, _) => When::Shown,
            (false, true) => When::Always,
            (false, false) => When::Missing,
        };
        let Arguments { auth_file, policy, registries, certificates, .. } = typed;
        Self {
            origin: typed.origin,
            when,
            files: Pull { auth_file, policy, registries, certificates },
            platform: typed.platform.unwrap_or_else(Platform::of_this_machine),
            retries: typed.retries,
            patience: Duration::from_secs(typed.patience.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Spec, String> {
        let words = std::iter::once("veneer-pull").chain(line.split_whitespace());
        Arguments::try_parse_from(words).map(Spec::from).map_err(|error| error.to_string())
    }

    #[test]
    fn a_reference_is_fetched_if_it_is_missing_unless_said_otherwise() {
        let spec = parsed("docker://r.example/a --policy /p --patience 2").expect("good");
        assert_eq!((spec.when, spec.retries, spec.patience), (When::Missing, 4, Duration::from_secs(2)));
        assert_eq!(spec.files.policy.map(|path| path.to_string()), Some("/p".into()));
        assert_eq!(parsed("build:/srv/a --always").expect("good").when, When::Always);
        assert_eq!(parsed("build:/srv/a --always --dry-run").expect("good").when, When::Shown);
        for (bad, said) in [
            ("", "Usage"),
            ("oci:/a", "needs no pull"),
            ("docker://a", "names no registry"),
            ("docker://r.example/a --policy p", "not an absolute path"),
            ("docker://r.example/a --patience 0", "0 is not in"),
        ] {
            let error = parsed(bad).expect_err(bad);
            assert!(error.contains(said), "{bad}: {error}");
        }
    }
}
