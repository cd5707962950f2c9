//! Those who use images of a random store: files of apps, units, mounts, devices, marks, overlays, pins.
//! Each is written as the real one would be, and noted at once.
//! Forms: veneer.app(5), proc_pid_mountinfo(5), systemctl(1) `show`, sysfs.

use crate::dice::Dice;
use crate::world::{DIRS, IDS, NAMES, SIDES, World};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

impl World {
    /// Somebody who uses an image.
    pub(crate) fn user(&mut self, dice: &mut Dice) {
        let name = *dice.one(&NAMES);
        match dice.below(13) {
            10 => self.built(dice),
            11 => self.built_by_two(dice),
            12 => self.host_overlay(name, dice),
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
        if self.root.join(&file).exists() || self.built.contains(id) {
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
        let Some(id) = self.new_app(dice) else { return };
        let reference = format!("docker://r.example/{}:1", dice.below(5));
        let text = format!("[image]\noci = \"{reference}\"\n[service]\nexec = [\"/bin/x\"]\n");
        self.write(&format!("usr/lib/veneer/apps.d/{id}.toml"), &text);
        self.write(&format!("etc/veneer/apps.d/{id}.toml"), "");
        self.references.insert(reference);
    }

    /// A build in one file, which a mask may hide.
    fn built(&mut self, dice: &mut Dice) {
        let Some(id) = self.new_app(dice) else { return };
        let (more, reference) = match dice.once_in(2) {
            true => ("", "build:/srv/context"),
            false => (", file = \"File\"", "build:/srv/context:/srv/context/File"),
        };
        let text = format!("[image]\nbuild = {{ context = \"/srv/context\"{more} }}\n[service]\nexec = [\"/bin/x\"]\n");
        self.write(&format!("usr/lib/veneer/apps.d/{id}.toml"), &text);
        self.references.insert(reference.into());
        self.built.insert(id);
    }

    /// A build of which the file says one half and a drop-in the other: only all of it together names it.
    fn built_by_two(&mut self, dice: &mut Dice) {
        let Some(id) = self.new_app(dice) else { return };
        let text = "[image.build]\nfile = \"/srv/context/File\"\n[service]\nexec = [\"/bin/x\"]\n";
        // In the strongest directory, where nobody hides it.
        self.write(&format!("etc/veneer/apps.d/{id}.toml"), text);
        self.write(&format!("run/veneer/apps.d/{id}.toml.d/a.toml"), "image.build.context = \"/srv/context\"\n");
        // By itself, the drop-in names another one.
        self.references.extend(["build:/srv/context:/srv/context/File".into(), "build:/srv/context".into()]);
        self.built.insert(id);
    }

    /// An app that has no file yet.
    fn new_app(&mut self, dice: &mut Dice) -> Option<&'static str> {
        let id = *dice.one(&IDS);
        if DIRS.iter().any(|dir| self.root.join(format!("{dir}/apps.d/{id}.toml")).exists()) {
            return None;
        }
        self.know(id);
        self.claims += 1;
        Some(id)
    }

    /// An image over a directory of the host: applied, for this boot or for good, or only declared.
    fn host_overlay(&mut self, name: &'static str, dice: &mut Dice) {
        let Some(path) = self.path_of(name) else { return };
        let file = match dice.below(3) {
            0 => format!("var/lib/veneer/host-overlays/o{}/record.json", self.claims),
            1 => format!("run/veneer/overlays/o{}/record.json", self.claims),
            _ => format!("{}/overlays.d/o{}.toml", dice.one(&DIRS), self.claims),
        };
        self.write(&file, &format!("source = {path:?}\ntarget = \"/opt/x\"\n"));
        self.by_path(name);
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
}
