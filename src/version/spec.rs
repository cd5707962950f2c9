//! The command line of `veneer-version`, checked.
//! It opens nothing; whether there is such an app shows when its versions are read.
//! The verbs are those of veneer-pull@.service(8); units name them, so they stay.

use crate::config::KEEP;
use crate::convert::spec::Format;
use crate::name::AppId;
use crate::oci::document::Platform;
use crate::origin::Origin;
use crate::size::Size;
use clap::{Args, Parser, Subcommand};

/// Makes the image of an app from a container image, and keeps its versions.
#[derive(Debug, Parser)]
#[command(name = "veneer-version", version, arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make the image of what was pulled, or of a local source; for an app, have it use the image
    Make(Box<Make>),
    /// Go back to the version before
    Rollback(OfApp),
    /// Go back to the version before if the app has just failed with a new one; run by veneer-rollback@.service
    Failed(OfApp),
    /// Make images again that a scrub has found damaged; run by veneer-mend.service
    Mend(Mend),
}

/// `mend`
#[derive(Debug, Args)]
pub struct Mend {
    /// Show the steps and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// An app.
#[derive(Debug, Args)]
pub struct OfApp {
    /// The app
    #[arg(value_name = "ID", value_parser = AppId::parse)]
    pub app: AppId,
    /// Show the steps and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `make`
#[derive(Debug, Args)]
pub struct Make {
    /// What it is made from, as in image.oci of an app's file
    #[arg(value_name = "SOURCE", value_parser = Origin::parse)]
    pub origin: Origin,
    /// The app that is to use it; without one, the image only goes into the store
    #[arg(long, value_name = "ID", value_parser = AppId::parse)]
    app: Option<AppId>,
    /// The app is not being started: the image is for its next start, and sources without a digest are read again
    #[arg(long)]
    update: bool,
    /// How many versions stay
    #[arg(long, value_name = "COUNT", default_value_t = KEEP, value_parser = clap::value_parser!(u32).range(1..))]
    keep: u32,
    /// The file system of the image
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The size of an ext4 file system; as large as what is in it if not given
    #[arg(long, value_parser = Size::parse)]
    size: Option<Size>,
    /// Make it a root that a virtual machine can start from
    #[arg(long)]
    bootable: bool,
    /// Put a file into the image: SOURCE:TARGET[:MODE[:UID:GID]]; any number of times
    #[arg(long, value_name = "SOURCE:TARGET[:MODE[:UID:GID]]")]
    inject: Vec<String>,
    /// Have a directory in the image: TARGET[:MODE[:UID:GID]]; one that is there stays as it is if no mode is given
    #[arg(long, value_name = "TARGET[:MODE[:UID:GID]]")]
    inject_directory: Vec<String>,
    /// Put a symbolic link into the image: TARGET:TO
    #[arg(long, value_name = "TARGET:TO")]
    inject_link: Vec<String>,
    /// The machine that the image is for, like linux/arm64; this one if not given
    #[arg(long, value_parser = Platform::parse)]
    pub platform: Option<Platform>,
    /// Show the steps and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Whether the app is being started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Now, with what is decided.
    Now,
    /// Some time, by somebody else.
    Later,
}

/// What an image is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// To be in the store.
    Store,
    /// To be used by an app, of whose versions so many stay.
    App(AppId, u32),
}

impl Make {
    /// What it is for.
    pub fn goal(&self) -> Goal {
        self.app.as_ref().map_or(Goal::Store, |app| Goal::App(app.clone(), self.keep))
    }

    /// Whether an image is to be changed on its way, which one that is made already cannot be.
    pub fn changes(&self) -> bool {
        self.bootable || ![&self.inject, &self.inject_directory, &self.inject_link].iter().all(|list| list.is_empty())
    }

    /// What the converter is told of all this.
    pub fn convert_words(&self) -> Vec<String> {
        let lists = [
            ("inject-directory", &self.inject_directory),
            ("inject", &self.inject),
            ("inject-link", &self.inject_link),
        ];
        let mut words: Vec<String> =
            lists.iter().flat_map(|(option, list)| list.iter().map(move |word| format!("--{option}={word}"))).collect();
        if self.format == Format::Ext4 {
            words.push("--format=ext4".to_owned());
        }
        words.extend(self.size.map(|size| format!("--size={}", size.bytes())));
        if self.bootable {
            words.push("--bootable".to_owned());
        }
        words
    }

    /// Whether the app is being started.
    pub fn start(&self) -> Start {
        if self.update || self.app.is_none() { Start::Later } else { Start::Now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_made_for_an_app_or_for_the_store() {
        let parsed = |line: &str| {
            let words = std::iter::once("veneer-version").chain(line.split_whitespace());
            Arguments::try_parse_from(words).map(|arguments| arguments.verb)
        };
        let Ok(Verb::Make(make)) = parsed("make docker://r.example/a --app a --keep 5") else { panic!("good") };
        assert_eq!((make.goal(), make.start()), (Goal::App(AppId::parse("a").expect("an id"), 5), Start::Now));
        let Ok(Verb::Make(make)) = parsed("make oci:/a --app a --update") else { panic!("good") };
        assert_eq!(make.start(), Start::Later);
        let Ok(Verb::Make(make)) = parsed("make oci:/a") else { panic!("good") };
        assert_eq!((make.goal(), make.start()), (Goal::Store, Start::Later));
        for bad in ["make", "make a", "make oci:/a --app ../b", "make oci:/a --keep 0", "rollback", "rollback a b"] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }
}
