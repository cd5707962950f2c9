//! What layers come to, by the plainest means: one map from path to thing, each layer applied from the lowest up.
//! It shares no code with the merge, and is as slow as it likes.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

#[derive(Clone, Debug)]
pub enum Said {
    Dir(u32),
    File(String),
    Link(String),
    Hard(String),
    Whiteout,
    Opaque,
}

/// A layer: paths without a leading slash, the root is empty.
pub type LayerSaid = Vec<(String, Said)>;

#[derive(Clone, Debug)]
enum Thing {
    Dir(u32),
    /// Its number says which names are one file.
    File(usize, String),
    Link(usize, String),
}

#[derive(Clone, Default)]
pub struct Model {
    things: BTreeMap<String, Thing>,
    root: Option<u32>,
    count: usize,
}

fn parent(path: &str) -> &str {
    path.rfind('/').map_or("", |slash| &path[..slash])
}

fn joined(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.into() } else { format!("{parent}/{name}") }
}

impl Model {
    pub fn apply(&mut self, layer: &LayerSaid) -> Result<(), ()> {
        for (path, said) in layer {
            match said {
                Said::Whiteout => self.whiteout(path),
                Said::Opaque => self.opaque(path),
                _ => {}
            }
        }
        for (path, said) in layer {
            self.place(path, said)?;
        }
        Ok(())
    }

    fn whiteout(&mut self, path: &str) {
        let name = path.rsplit('/').next().expect("a name");
        if let Ok(parent) = self.real(parent(path)) {
            self.remove(&joined(&parent, name));
        }
    }

    fn opaque(&mut self, path: &str) {
        if let Ok(dir) = self.real(path) {
            let below = format!("{dir}/");
            self.things.retain(|path, _| !dir.is_empty() && !path.starts_with(&below));
        }
    }

    fn remove(&mut self, path: &str) {
        let below = format!("{path}/");
        self.things.retain(|other, _| other != path && !other.starts_with(&below));
    }

    /// A directory's path without links, whether or not it exists.
    fn real(&self, path: &str) -> Result<String, ()> {
        let mut ahead: VecDeque<String> = path.split('/').map(str::to_owned).collect();
        let (mut done, mut links): (Vec<String>, _) = (Vec::new(), 0);
        while let Some(name) = ahead.pop_front() {
            match name.as_str() {
                "" | "." => continue,
                ".." => {
                    done.pop();
                    continue;
                }
                _ => {}
            }
            let here = joined(&done.join("/"), &name);
            match self.things.get(&here) {
                Some(Thing::File(..)) => return Err(()),
                Some(Thing::Link(_, target)) => {
                    links += 1;
                    if links > 40 {
                        return Err(());
                    }
                    if target.starts_with('/') {
                        done.clear();
                    }
                    for name in target.split('/').rev() {
                        ahead.push_front(name.to_owned());
                    }
                }
                Some(Thing::Dir(_)) | None => done.push(name),
            }
        }
        Ok(done.join("/"))
    }

    fn place(&mut self, path: &str, said: &Said) -> Result<(), ()> {
        if path.is_empty() {
            if let Said::Dir(mode) = said {
                self.root = Some(*mode);
            }
            return Ok(());
        }
        self.count += 1;
        let thing = match said {
            Said::Whiteout | Said::Opaque => return Ok(()),
            Said::Dir(mode) => Thing::Dir(*mode),
            Said::File(text) => Thing::File(self.count, text.clone()),
            Said::Link(target) => Thing::Link(self.count, target.clone()),
            Said::Hard(target) => {
                let name = target.rsplit('/').next().expect("a name");
                let real = joined(&self.real(parent(target))?, name);
                match self.things.get(&real) {
                    None | Some(Thing::Dir(_)) => return Err(()),
                    Some(thing) => thing.clone(),
                }
            }
        };
        let dir = self.real(parent(path))?;
        let mut made = String::new();
        for name in dir.split('/').filter(|name| !name.is_empty()) {
            made = joined(&made, name);
            self.things.entry(made.clone()).or_insert(Thing::Dir(0o755));
        }
        let real = joined(&dir, path.rsplit('/').next().expect("a name"));
        if !matches!((&thing, self.things.get(&real)), (Thing::Dir(_), Some(Thing::Dir(_)))) {
            self.remove(&real);
        }
        self.things.insert(real, thing);
        Ok(())
    }

    pub fn listing(&self) -> String {
        let mut text = format!("/ dir {:o}\n", self.root.unwrap_or(0o755));
        let mut first: BTreeMap<usize, &str> = BTreeMap::new();
        for (path, thing) in &self.things {
            let (number, line) = match thing {
                Thing::Dir(mode) => (None, format!("dir {mode:o}")),
                Thing::File(number, content) => (Some(*number), format!("file {content}")),
                Thing::Link(number, target) => (Some(*number), format!("-> {target}")),
            };
            let line = match number.and_then(|number| first.get(&number)) {
                Some(other) => format!("= /{other}"),
                None => line,
            };
            if let Some(number) = number {
                first.entry(number).or_insert(path);
            }
            writeln!(text, "/{path} {line}").expect("text");
        }
        text
    }
}
