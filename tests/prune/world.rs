//! A store and its users, made at random and written below a root; and the plain model of what must stay.
//! Whatever is written notes at once what it keeps; `kept` lays that over the images in loops a child could follow.
//! Forms: docs/store.md; app files as in veneer.app(5).

use crate::dice::Dice;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use veneer::layer::digest::Digest;

const NAMES: [&str; 9] = ["a", "b", "a.b", "hello world", "ünï", "a.raw", "x-1", BY_DIGEST, OTHER_DIGEST];
const BY_DIGEST: &str = "sha256-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER_DIGEST: &str = "sha256-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const IDS: [&str; 4] = ["one", "two", "three", "four"];
const DIRS: [&str; 4] = ["usr/lib/veneer", "usr/local/lib/veneer", "run/veneer", "etc/veneer"];
const SIDES: [&str; 5] = ["verity", "hash", "roothash", "roothash.p7s", "manifest.json"];

/// An image under one name.
struct Image {
    name: &'static str,
    /// Its files, relative to the store.
    files: Vec<String>,
    /// The file that it really is: the same number, the same file.
    real: usize,
}

struct Record {
    file: String,
    reference: String,
    image: &'static str,
    blobs: Vec<String>,
}

/// A version of an app.
struct Version {
    app: &'static str,
    number: usize,
    image: &'static str,
}

#[derive(Default)]
pub(crate) struct World {
    root: PathBuf,
    images: Vec<Image>,
    records: Vec<Record>,
    versions: Vec<Version>,
    currents: Vec<(&'static str, &'static str)>,
    pins: Vec<&'static str>,
    /// Whether anything claims anything, and whether something cannot be read.
    claims: usize,
    broken: bool,
    /// Names, files and references that somebody uses; apps that are known.
    names: BTreeSet<&'static str>,
    references: BTreeSet<String>,
    apps: BTreeSet<&'static str>,
    /// What is not Veneer's, and stays.
    foreign: Vec<String>,
    /// What `systemctl show` would print.
    pub(crate) units: String,
    mounts: String,
    loops: usize,
}

impl World {
    pub(crate) fn make(root: &Path, dice: &mut Dice) -> Self {
        let mut world = Self { root: root.to_owned(), ..Self::default() };
        for place in ["images", "refs", "pins", "blobs/sha256", "apps"] {
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
        (0..dice.below(5)).for_each(|_| world.user(dice));
        if dice.once_in(12) {
            world.break_something(dice);
        }
        world.write("proc/self/mountinfo", &world.mounts.clone());
        world
    }

    fn store(&self, path: &str) -> PathBuf {
        self.root.join("var/lib/veneer").join(path)
    }

    fn write(&self, path: &str, text: &str) {
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
        for _ in 0..dice.below(3) {
            self.blob(dice);
        }
    }

    fn blob(&self, dice: &mut Dice) -> String {
        let hex = Digest::of(format!("blob {}", dice.below(6)).as_bytes()).hex().to_owned();
        fs::write(self.store(&format!("blobs/sha256/{hex}")), "x").unwrap();
        hex
    }

    fn record(&mut self, dice: &mut Dice) {
        let (reference, image) = (format!("docker://r.example/{}:1", dice.below(5)), *dice.one(&NAMES));
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

    /// Somebody who uses an image.
    fn user(&mut self, dice: &mut Dice) {
        let name = *dice.one(&NAMES);
        match dice.below(10) {
            0..=2 => self.app_file(name, dice),
            3 => self.shadowed_reference(dice),
            4 => self.pin(name),
            5 => self.unit(name, dice),
            6 => self.mount(name, dice),
            7 => self.loop_device(name, dice),
            8 => self.mark(name, dice),
            _ => self.masked(dice),
        }
    }

    /// How a file can name an image. A path names a file, which there must be for it to lead anywhere.
    fn spelled(&mut self, name: &'static str, dice: &mut Dice) -> String {
        self.claims += 1;
        let image = self.images.iter().find(|image| image.name == name);
        match (dice.below(4), image) {
            (0, Some(image)) => {
                let text = format!("/var/lib/veneer/{}", image.files[0]);
                self.by_path(name);
                text
            }
            (1, Some(image)) => {
                let link = format!("srv/link-{}.raw", self.claims);
                fs::create_dir_all(self.root.join("srv")).unwrap();
                // Below the root of the test, where no absolute link would lead.
                symlink(format!("../var/lib/veneer/{}", image.files[0]), self.root.join(&link)).unwrap();
                self.names.insert(name);
                format!("/{link}")
            }
            // A name with an ending is refused by the reader.
            _ if name.ends_with(".raw") => {
                self.names.insert("a");
                "a".into()
            }
            _ => {
                self.names.insert(name);
                name.into()
            }
        }
    }

    fn app_file(&mut self, name: &'static str, dice: &mut Dice) {
        let (dir, id) = (*dice.one(&DIRS), *dice.one(&IDS));
        let file = format!("{dir}/apps.d/{id}.toml");
        if self.root.join(&file).exists() {
            return;
        }
        let spelled = self.spelled(name, dice);
        self.write(&file, &format!("[image]\nfile = {spelled:?}\n[service]\nexec = [\"/bin/x\"]\n"));
        self.know(id);
        if dice.once_in(3) {
            let other = *dice.one(&NAMES);
            let spelled = self.spelled(other, dice);
            let dir = *dice.one(&DIRS);
            self.write(
                &format!("{dir}/apps.d/{id}.toml.d/{}.toml", self.claims),
                &format!("image.file = {spelled:?}\n"),
            );
        }
        if dice.once_in(4) {
            let other = *dice.one(&NAMES);
            let spelled = self.spelled(other, dice);
            self.write(&format!("{dir}/templates.d/t{}.toml", self.claims), &format!("image.file = {spelled:?}\n"));
        }
    }

    fn know(&mut self, id: &'static str) {
        self.apps.insert(id);
        self.claims += 1;
    }

    /// A container image in a file that a stronger one hides: it counts all the same.
    fn shadowed_reference(&mut self, dice: &mut Dice) {
        let id = *dice.one(&IDS);
        if DIRS.iter().any(|dir| self.root.join(format!("{dir}/apps.d/{id}.toml")).exists()) {
            return;
        }
        let reference = format!("docker://r.example/{}:1", dice.below(5));
        let text = format!("[image]\noci = \"{reference}\"\n[service]\nexec = [\"/bin/x\"]\n");
        self.write(&format!("usr/lib/veneer/apps.d/{id}.toml"), &text);
        self.write(&format!("etc/veneer/apps.d/{id}.toml"), "");
        self.references.insert(reference);
        self.know(id);
        self.claims += 1;
    }

    fn masked(&mut self, dice: &mut Dice) {
        let id = *dice.one(&IDS);
        let file = format!("etc/veneer/apps.d/{id}.toml");
        if !self.root.join(&file).exists() {
            self.write(&file, "");
            self.know(id);
        }
    }

    fn pin(&mut self, name: &'static str) {
        fs::write(self.store(&format!("pins/{name}.json")), "{\"when\": 1}").unwrap();
        if !self.pins.contains(&name) {
            self.pins.push(name);
        }
        self.claims += 1;
    }

    /// A path in a text keeps what it names, and, since nobody knows where it ends, what its beginning names.
    fn by_path(&mut self, name: &'static str) {
        let path = self.path_of(name).unwrap();
        for other in NAMES {
            for ending in SIDES.iter().chain(&["raw", "app.img"]) {
                if path.starts_with(&format!("/var/lib/veneer/images/{other}.{ending}")) {
                    self.names.insert(other);
                }
            }
        }
    }

    fn path_of(&self, name: &str) -> Option<String> {
        self.images.iter().find(|image| image.name == name).map(|image| format!("/var/lib/veneer/{}", image.files[0]))
    }

    fn unit(&mut self, name: &'static str, dice: &mut Dice) {
        let Some(path) = self.path_of(name) else { return };
        let state = *dice.one(&["active", "failed", "inactive", "activating"]);
        let kind = dice.below(3);
        let line = match kind {
            0 => format!("RootImage={path}"),
            1 => format!("ExecStart={{ path=/x ; argv[]=/x attach u --image={path} --type=erofs ; }}"),
            // What splits at spaces cannot be told from its end on.
            _ if name.contains(' ') => format!("What={path}"),
            _ => format!("ExecStart={{ argv[]=/x attach u --name={name} --store=/var/lib/veneer/images ; }}"),
        };
        self.units += &format!("Id=u{}.service\nActiveState={state}\n{line}\n\n", self.claims);
        if kind < 2 || name.contains(' ') {
            self.by_path(name);
        }
        self.names.insert(name);
        self.claims += 1;
        if dice.once_in(4) {
            let app = *dice.one(&IDS);
            let line = format!("ExecStart={{ argv[]=/x --image=/var/lib/veneer/apps/{app}/current ; }}");
            self.units += &format!("Id=veneer-verity@{app}.service\nActiveState=failed\n{line}\n\n");
            self.apps.insert(app);
        }
    }

    fn mount(&mut self, name: &'static str, dice: &mut Dice) {
        let Some(path) = self.path_of(name) else { return };
        let escaped = path.replace(' ', "\\040");
        let root = "20 1 8:1 / / rw - ext4 /dev/sda rw\n30 20 8:2 / /var rw - ext4 /dev/sdb rw\n";
        let line = if dice.once_in(2) {
            format!("40 20 0:50 / /mnt/{} ro - erofs {escaped} ro\n", self.claims)
        } else {
            format!("41 20 8:2 {} /mnt/{} ro - ext4 /dev/sdb ro\n", escaped.strip_prefix("/var").unwrap(), self.claims)
        };
        self.mounts = format!("{root}{}{line}", self.mounts.strip_prefix(root).unwrap_or_default());
        self.by_path(name);
        self.claims += 1;
    }

    fn loop_device(&mut self, name: &'static str, dice: &mut Dice) {
        let Some(path) = self.path_of(name) else { return };
        let device = format!("sys/block/loop{}", self.loops);
        self.write(&format!("{device}/loop/backing_file"), &format!("{path}\n"));
        if dice.once_in(2) {
            self.write(&format!("{device}/holders/dm-{}", self.loops), "");
            self.write(&format!("sys/block/dm-{}/dm/name", self.loops), "veneer-x\n");
        }
        self.loops += 1;
        self.by_path(name);
        self.claims += 1;
    }

    fn mark(&mut self, name: &'static str, dice: &mut Dice) {
        let Some(path) = self.path_of(name) else { return };
        let place =
            *dice.one(&["run/veneer/live/gone", "run/veneer/live/one", "run/veneer/sessions/one/al/session.json"]);
        let taken = self.root.join(place);
        if taken.exists() || taken.parent().is_some_and(Path::is_file) {
            return;
        }
        let _ = fs::create_dir_all(taken.parent().unwrap());
        if fs::write(&taken, format!("veneer-live 1\nimage 1 2 3 4 {path}\nend\n")).is_ok() {
            self.by_path(name);
            self.claims += 1;
        }
    }

    fn break_something(&mut self, dice: &mut Dice) {
        let (path, text) = *dice.one(&[
            ("etc/veneer/apps.d/broken.toml", "[image\n"),
            ("usr/lib/veneer/apps.d/broken.toml", "[image]\nfile = 7\n"),
            ("etc/veneer/templates.d/broken.toml", "x = \n"),
            ("etc/veneer/veneer.toml", "[prune]\nolder-than = \"soon\"\n"),
            ("var/lib/veneer/refs/broken.json", "{"),
            ("var/lib/veneer/pins/broken.json", "no pin"),
            ("var/lib/veneer/apps/broken/latest", "no link"),
        ]);
        self.write(path, text);
        self.broken = true;
    }

    /// Whether nothing may be removed at all.
    pub(crate) fn is_refused(&self) -> bool {
        let idle = self.images.iter().any(|image| !self.used_images().contains(image.name));
        self.broken || (self.claims == 0 && self.apps.is_empty() && idle)
    }

    /// The names of images that stay.
    fn used_images(&self) -> BTreeSet<&'static str> {
        let mut names = self.names.clone();
        names.extend(&self.pins);
        for record in self.records.iter().filter(|record| self.references.contains(&record.reference)) {
            names.insert(record.image);
        }
        for version in self.versions.iter().filter(|version| self.stays(version)) {
            names.insert(version.image);
        }
        names.extend(self.currents.iter().filter(|(app, _)| self.apps.contains(app)).map(|(_, image)| image));
        // Whatever is the same file as one that stays, stays: until nothing is added any more.
        let all: BTreeSet<&'static str> = self.images.iter().map(|image| image.name).collect();
        let mut used: BTreeSet<&'static str> = names.intersection(&all).copied().collect();
        loop {
            let count = used.len();
            for one in &self.images {
                for other in &self.images {
                    if one.real == other.real && used.contains(one.name) {
                        used.insert(other.name);
                    }
                }
            }
            if used.len() == count {
                return used;
            }
        }
    }

    /// Whether a version is one of the last three of a known app: the newest one that is current, and the newest others.
    fn stays(&self, version: &Version) -> bool {
        let of_app = |other: &&Version| other.app == version.app;
        let current = self.currents.iter().find(|(app, _)| *app == version.app).map(|(_, image)| *image);
        let is_current = |other: &&Version| Some(other.image) == current;
        let newest_current = self.versions.iter().filter(of_app).filter(is_current).map(|other| other.number).max();
        let others = self.versions.iter().filter(of_app).filter(|other| Some(other.number) != newest_current);
        let newer = others.filter(|other| other.number > version.number).count();
        let room = if newest_current.is_some() { 2 } else { 3 };
        self.apps.contains(version.app) && (Some(version.number) == newest_current || newer < room)
    }

    /// Every file that must still be there, and no other.
    pub(crate) fn kept(&self) -> BTreeSet<String> {
        let used = self.used_images();
        let mut kept: BTreeSet<String> = self.foreign.iter().cloned().collect();
        for image in self.images.iter().filter(|image| used.contains(image.name)) {
            kept.extend(image.files.iter().cloned());
        }
        for record in &self.records {
            if used.contains(record.image) || self.references.contains(&record.reference) {
                kept.insert(record.file.clone());
                kept.extend(record.blobs.iter().map(|hex| format!("blobs/sha256/{hex}")));
            }
        }
        for version in self.versions.iter().filter(|version| self.stays(version)) {
            kept.insert(format!("apps/{}/{}", version.app, version.number));
        }
        let known = self.currents.iter().filter(|(app, _)| self.apps.contains(app));
        kept.extend(known.map(|(app, _)| format!("apps/{app}/current")));
        kept.extend(self.pins.iter().map(|name| format!("pins/{name}.json")));
        kept
    }
}
