//! A store made at random and written below a root; its users are `users`', what must stay is `model`'s.
//! Whatever is written notes at once what it keeps.
//! Forms: docs/store.md; app files as in veneer.app(5).

use crate::dice::Dice;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use veneer::layer::digest::Digest;

pub(crate) const NAMES: [&str; 9] = ["a", "b", "a.b", "hello world", "ünï", "a.raw", "x-1", BY_DIGEST, OTHER_DIGEST];
const BY_DIGEST: &str = "sha256-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER_DIGEST: &str = "sha256-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
pub(crate) const IDS: [&str; 4] = ["one", "two", "three", "four"];
pub(crate) const DIRS: [&str; 4] = ["usr/lib/veneer", "usr/local/lib/veneer", "run/veneer", "etc/veneer"];
pub(crate) const SIDES: [&str; 5] = ["verity", "hash", "roothash", "roothash.p7s", "manifest.json"];

/// An image under one name.
pub(crate) struct Image {
    pub(crate) name: &'static str,
    /// Its files, relative to the store.
    pub(crate) files: Vec<String>,
    /// The file that it really is: the same number, the same file.
    pub(crate) real: usize,
}

pub(crate) struct Record {
    pub(crate) file: String,
    pub(crate) reference: String,
    pub(crate) image: &'static str,
    pub(crate) blobs: Vec<String>,
}

/// A version of an app.
pub(crate) struct Version {
    pub(crate) app: &'static str,
    pub(crate) number: usize,
    pub(crate) image: &'static str,
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) root: PathBuf,
    pub(crate) images: Vec<Image>,
    pub(crate) records: Vec<Record>,
    pub(crate) versions: Vec<Version>,
    pub(crate) currents: Vec<(&'static str, &'static str)>,
    pub(crate) pins: Vec<&'static str>,
    /// Whether anything claims anything, and whether something cannot be read.
    pub(crate) claims: usize,
    pub(crate) broken: bool,
    /// Names, files and references that somebody uses; apps that are known.
    pub(crate) names: BTreeSet<&'static str>,
    pub(crate) references: BTreeSet<String>,
    pub(crate) apps: BTreeSet<&'static str>,
    /// Apps on trial, and the version that they go back to.
    pub(crate) trials: Vec<(&'static str, Option<usize>)>,
    /// Images of which it is known how far they were read.
    pub(crate) scrubbed: Vec<&'static str>,
    /// Locks of references.
    pub(crate) locks: Vec<String>,
    /// Apps with a build, to which a drop-in of another kind would do no good.
    pub(crate) built: BTreeSet<&'static str>,
    /// What is not Veneer's, and stays.
    pub(crate) foreign: Vec<String>,
    /// What `systemctl show` would print.
    pub(crate) units: String,
    pub(crate) mounts: String,
    pub(crate) loops: usize,
}

impl World {
    pub(crate) fn make(root: &Path, dice: &mut Dice) -> Self {
        let mut world = Self { root: root.to_owned(), ..Self::default() };
        for place in ["images", "refs", "pins", "blobs/sha256", "apps", "updates", "scrub"] {
            fs::create_dir_all(root.join("var/lib/veneer").join(place)).unwrap();
        }
        for name in NAMES {
            if dice.once_in(2) {
                world.image(name, dice);
            }
        }
        world.left_over(dice);
        (0..dice.below(3)).for_each(|_| world.record(dice));
        (0..dice.below(3)).for_each(|_| world.app_versions(dice));
        world.small_files(dice);
        (0..dice.below(5)).for_each(|_| world.user(dice));
        if dice.once_in(12) {
            world.break_something(dice);
        }
        world.write("proc/self/mountinfo", &world.mounts.clone());
        world
    }

    pub(crate) fn store(&self, path: &str) -> PathBuf {
        self.root.join("var/lib/veneer").join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn image(&mut self, name: &'static str, dice: &mut Dice) {
        let ending = *dice.one(&["raw", "raw", "raw", "app.img"]);
        let own = format!("images/{name}.{ending}");
        let mut real = self.images.len();
        let other = if self.images.is_empty() || !dice.once_in(3) { None } else { Some(dice.below(self.images.len())) };
        match other {
            Some(at) if dice.once_in(2) => {
                fs::hard_link(self.store(&self.images[at].files[0]), self.store(&own)).unwrap();
                real = self.images[at].real;
            }
            Some(at) => {
                let target = self.images[at].files[0].strip_prefix("images/").unwrap();
                symlink(target, self.store(&own)).unwrap();
                real = self.images[at].real;
            }
            None => fs::write(self.store(&own), name).unwrap(),
        }
        let mut files = vec![own];
        for side in SIDES.iter().filter(|_| dice.once_in(2)) {
            files.push(format!("images/{name}.{side}"));
            fs::write(self.store(&files[files.len() - 1]), "x").unwrap();
        }
        self.images.push(Image { name, files, real });
    }

    /// What was killed, and what is not ours.
    fn left_over(&mut self, dice: &mut Dice) {
        for file in [".gone.raw.new", ".gone.lock", ".half.manifest.json.new", "alone.verity", "alone.roothash"] {
            if dice.once_in(4) {
                fs::write(self.store(&format!("images/{file}")), "").unwrap();
            }
        }
        for file in ["images/README", "images/other.erofs", "images/.hidden", "blobs/sha256/stranger"] {
            if dice.once_in(4) {
                fs::write(self.store(file), "").unwrap();
                self.foreign.push(file.into());
            }
        }
        if self.foreign.iter().any(|file| file == "images/other.erofs") {
            fs::write(self.store("images/other.verity"), "").unwrap();
            self.foreign.push("images/other.verity".into());
        }
        if dice.once_in(4) {
            fs::create_dir_all(self.store("trash")).unwrap();
            fs::write(self.store("trash/77-1"), "x").unwrap();
            fs::write(self.store("blobs/sha256/.piece"), "x").unwrap();
        }
        if dice.once_in(4) {
            fs::create_dir_all(self.store("blobs/sha256/.00ff.pull/layout")).unwrap();
            fs::write(self.store("blobs/sha256/.00ff.pull/layout/index.json"), "x").unwrap();
        }
        for _ in 0..dice.below(3) {
            self.blob(dice);
        }
    }

    /// What is known besides, and what killed writers have left of it.
    fn small_files(&mut self, dice: &mut Dice) {
        for draft in ["refs/.a.json.77-0", "pins/.a b.json.4-12", "updates/.one.json.1-1"] {
            if dice.once_in(6) {
                fs::write(self.store(draft), "{").unwrap();
            }
        }
        if dice.once_in(6) {
            fs::create_dir_all(self.store("apps/four")).unwrap();
            symlink("nowhere", self.store("apps/four/.current.new")).unwrap();
        }
        for app in IDS {
            if dice.once_in(4) {
                let trial = if dice.once_in(2) { Some(1 + dice.below(6)) } else { None };
                let text = trial.map_or("{}".to_owned(), |previous| {
                    format!(r#"{{"trial": {{"version": 99, "previous": {previous}}}}}"#)
                });
                fs::write(self.store(&format!("updates/{app}.json")), text).unwrap();
                self.trials.push((app, trial));
            }
        }
        for name in NAMES.into_iter().filter(|_| dice.once_in(6)) {
            fs::write(self.store(&format!("scrub/{name}.json")), "what only the scrub reads").unwrap();
            self.scrubbed.push(name);
        }
        for number in (0..5).filter(|_| dice.once_in(6)) {
            let hex = Digest::of(format!("docker://r.example/{number}:1").as_bytes()).hex().to_owned();
            fs::write(self.store(&format!("refs/.{hex}.lock")), "").unwrap();
            self.locks.push(hex);
        }
    }

    fn blob(&self, dice: &mut Dice) -> String {
        let hex = Digest::of(format!("blob {}", dice.below(6)).as_bytes()).hex().to_owned();
        fs::write(self.store(&format!("blobs/sha256/{hex}")), "x").unwrap();
        hex
    }

    fn record(&mut self, dice: &mut Dice) {
        let reference = match dice.below(8) {
            0 => "build:/srv/context".to_owned(),
            1 => "build:/srv/context:/srv/context/File".to_owned(),
            _ => format!("docker://r.example/{}:1", dice.below(5)),
        };
        let image = *dice.one(&NAMES);
        let file = format!("refs/{}.json", Digest::of(reference.as_bytes()).hex());
        if self.records.iter().any(|record| record.file == file) {
            return;
        }
        let blobs: Vec<String> = (0..dice.below(3)).map(|_| self.blob(dice)).collect();
        let digests: Vec<String> = blobs.iter().map(|hex| format!("\"sha256:{hex}\"")).collect();
        let manifest = Digest::of(b"manifest");
        let text = format!(
            r#"{{"reference": "{reference}", "manifest": "{manifest}", "image": "{image}", "when": 5, "blobs": [{}]}}"#,
            digests.join(",")
        );
        fs::write(self.store(&file), text).unwrap();
        self.records.push(Record { file, reference, image, blobs });
    }

    fn app_versions(&mut self, dice: &mut Dice) {
        let app = *dice.one(&IDS);
        if self.store(&format!("apps/{app}")).exists() {
            return;
        }
        fs::create_dir_all(self.store(&format!("apps/{app}"))).unwrap();
        let numbers = 1 + dice.below(6);
        for number in 1..=numbers {
            let image = *dice.one(&NAMES);
            symlink(format!("../../images/{image}.raw"), self.store(&format!("apps/{app}/{number}"))).unwrap();
            self.versions.push(Version { app, number, image });
        }
        let all: Vec<&'static str> =
            self.versions.iter().filter(|version| version.app == app).map(|version| version.image).collect();
        let current = *dice.one(&all);
        symlink(format!("../../images/{current}.raw"), self.store(&format!("apps/{app}/current"))).unwrap();
        self.currents.push((app, current));
    }

    fn break_something(&mut self, dice: &mut Dice) {
        let (path, text) = *dice.one(&[
            ("etc/veneer/apps.d/broken.toml", "[image\n"),
            ("usr/lib/veneer/apps.d/broken.toml", "[image]\nfile = 7\n"),
            ("etc/veneer/templates.d/broken.toml", "x = \n"),
            ("etc/veneer/veneer.toml", "[prune]\nolder-than = \"soon\"\n"),
            ("var/lib/veneer/refs/broken.json", "{"),
            ("var/lib/veneer/pins/broken.json", "no pin"),
            ("var/lib/veneer/updates/broken.json", "{"),
            ("var/lib/veneer/apps/broken/latest", "no link"),
        ]);
        self.write(path, text);
        self.broken = true;
    }
}
