//! Whether an agent can run in a root: its machine, its interpreter, its libraries.
//! It runs nothing, and looks at no library of a library; what is missing comes back in sentences.
//! Rules: execve(2), ld.so(8); directories are those that glibc's and musl's loaders look into by themselves.

use super::elf::{Elf, Machine};
use super::resolve::Root;
use super::wish::{Bytes, What};
use crate::image::read;
use crate::image::tree::Entry;
use crate::layer::fault::shown;
use crate::layer::path::LayerPath;
use crate::verity::tree::ReadAt;
use std::io;

/// Directories of libraries; those of glibc's "multiarch" lie in the first three.
const LIBRARIES: [&[u8]; 6] = [b"lib", b"usr/lib", b"usr/local/lib", b"lib64", b"usr/lib64", b"usr/local/lib64"];
/// What those are called: `x86_64-linux-gnu`, `aarch64-linux-musl`.
const MULTIARCH: &[u8] = b"-linux-";
/// Directories of programs (execvp(3), and what systemd sets).
const PROGRAMS: [&[u8]; 6] = [b"usr/local/sbin", b"usr/local/bin", b"usr/sbin", b"usr/bin", b"sbin", b"bin"];
/// Bytes of a script's first line (`BINPRM_BUF_SIZE`).
const LINE_MAX: u64 = 256;

/// Names of one kind that are looked at in a directory: real ones have two or three.
const ALIKE: usize = 32;

/// A file that was looked for.
enum Found {
    Nothing,
    Plain(Vec<u8>),
    Executable(Vec<u8>),
}

/// What a program that is put there lacks.
pub(super) fn missing<D: ReadAt>(root: &Root<'_, D>, target: &LayerPath, agent: &Bytes) -> io::Result<Vec<String>> {
    root.lacks(target, &*agent.data, agent.size)
}

impl<D: ReadAt> Root<'_, D> {
    /// What the program lacks that a path leads to, in sentences; none if it can run, nothing if it is not there.
    pub(super) fn faults(&self, path: &LayerPath) -> io::Result<Option<Vec<String>>> {
        let executable = match self.find(path.as_bytes())? {
            Found::Nothing => return Ok(None),
            Found::Plain(_) => return Ok(Some(vec!["it is not executable".into()])),
            Found::Executable(_) => self.leads_to(path.as_bytes())?,
        };
        let Some(id) = executable else { return Ok(None) };
        if let Some(What::File(bytes)) = self.injection(id).map(|injection| &injection.what) {
            return self.lacks(path, &*bytes.data, bytes.size).map(Some);
        }
        match self.image.inode(id)?.map(|inode| inode.what) {
            Some(read::What::File(body)) => self.lacks(path, &self.image.reader.file(body), body.size()).map(Some),
            _ => Ok(None),
        }
    }

    fn lacks(&self, target: &LayerPath, data: &dyn ReadAt, size: u64) -> io::Result<Vec<String>> {
        let mut line = vec![0; size.min(LINE_MAX) as usize];
        data.read_at(&mut line, 0)?;
        if let Some(script) = line.strip_prefix(b"#!") {
            return self.script(script.split(|byte| *byte == b'\n').next().unwrap_or_default());
        }
        let elf = match Elf::read(data, size) {
            Ok(elf) => elf,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(vec![error.to_string()]),
            Err(error) => return Err(error),
        };
        match elf {
            Some(elf) => self.program(target, &elf),
            None => Ok(vec!["it is neither an ELF program nor a script that begins with #!".into()]),
        }
    }

    fn script(&self, line: &[u8]) -> io::Result<Vec<String>> {
        let mut words = line.split(|byte| matches!(byte, b' ' | b'\t' | b'\r')).filter(|word| !word.is_empty());
        let Some(interpreter) = words.next() else { return Ok(vec!["its #! names no interpreter".into()]) };
        if !interpreter.starts_with(b"/") {
            return Ok(vec![format!("its interpreter {} is no absolute path", shown(interpreter))]);
        }
        let mut missing = Vec::new();
        self.executable(interpreter, &mut missing)?;
        // `env` looks for the real one.
        let named = words.next().filter(|word| !word.starts_with(b"-") && !word.contains(&b'='));
        if let Some(named) = named.filter(|_| interpreter.ends_with(b"/env")) {
            let mut there = false;
            for directory in PROGRAMS {
                there |= matches!(self.find(&[directory, b"/", named].concat())?, Found::Executable(_));
            }
            if !there {
                missing.push(format!("its interpreter {} is in no directory of programs", shown(named)));
            }
        }
        Ok(missing)
    }

    fn program(&self, target: &LayerPath, elf: &Elf) -> io::Result<Vec<String>> {
        let mut missing = Vec::new();
        let directories = self.library_directories()?;
        if let Some((known, by)) = self.machine(&directories)? {
            if known != elf.machine {
                missing.push(format!("it is for {}, and {by} is for {known}", elf.machine));
                return Ok(missing);
            }
        }
        if let Some(interpreter) = &elf.interpreter {
            self.executable(interpreter, &mut missing)?;
        }
        for library in &elf.needed {
            if !self.has_library(library, elf, target, &directories)? {
                missing.push(format!("its library {} is not there", shown(library)));
            }
        }
        Ok(missing)
    }

    fn executable(&self, interpreter: &[u8], missing: &mut Vec<String>) -> io::Result<()> {
        let why = match self.find(interpreter)? {
            Found::Executable(_) => return Ok(()),
            Found::Plain(_) => "is not executable",
            Found::Nothing => "is not there",
        };
        missing.push(format!("its interpreter {} {why}", shown(interpreter)));
        Ok(())
    }

    /// What a path leads to, with its first bytes.
    fn find(&self, path: &[u8]) -> io::Result<Found> {
        let Some(id) = self.leads_to(path)? else { return Ok(Found::Nothing) };
        let (mode, head) = match self.injection(id) {
            Some(injection) => match &injection.what {
                What::File(bytes) => {
                    let mut head = vec![0; bytes.size.min(LINE_MAX) as usize];
                    bytes.data.read_at(&mut head, 0)?;
                    (injection.meta.mode, head)
                }
                _ => return Ok(Found::Nothing),
            },
            None => match self.image.inode(id)? {
                Some(read::Inode { meta, what: read::What::File(body) }) => (meta.mode, self.image.beginning(body)?),
                _ => return Ok(Found::Nothing),
            },
        };
        Ok(if mode.0 & 0o111 == 0 { Found::Plain(head) } else { Found::Executable(head) })
    }

    /// Directories of libraries that are there.
    fn library_directories(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut list = Vec::new();
        for path in LIBRARIES {
            // Where no way leads there is no directory.
            let Ok(way) = self.walk(path) else { continue };
            let Some(directory) = self.directory(&way.there).filter(|_| way.missing.is_empty()) else { continue };
            list.push(path.to_vec());
            let names = directory.entries.iter().filter(|(name, entry)| {
                matches!(entry, Entry::Directory(_)) && name.windows(MULTIARCH.len()).any(|part| part == MULTIARCH)
            });
            list.extend(names.take(ALIKE).map(|(name, _)| [path, b"/", name].concat()));
        }
        Ok(list)
    }

    /// The machine that the image's own shell or C library is for, and which of them says so.
    fn machine(&self, directories: &[Vec<u8>]) -> io::Result<Option<(Machine, String)>> {
        let mut candidates = vec![b"bin/sh".to_vec(), b"usr/bin/sh".to_vec()];
        for directory in directories {
            candidates.push([directory, &b"/libc.so.6"[..]].concat());
            let way = self.walk(directory)?;
            let names = self.directory(&way.there).into_iter().flat_map(|there| there.entries.keys());
            let loaders = names.filter(|name| name.starts_with(b"ld-") || name.starts_with(b"libc.musl-"));
            candidates.extend(loaders.take(ALIKE).map(|name| [directory, &b"/"[..], name].concat()));
        }
        for path in candidates {
            if let Found::Plain(head) | Found::Executable(head) = self.find(&path)? {
                if let Some(machine) = Machine::of(&head) {
                    return Ok(Some((machine, format!("the image's /{}", shown(&path)))));
                }
            }
        }
        Ok(None)
    }

    fn has_library(&self, name: &[u8], elf: &Elf, target: &LayerPath, usual: &[Vec<u8>]) -> io::Result<bool> {
        let is_there = |path: &[u8]| -> io::Result<bool> {
            let (Found::Plain(head) | Found::Executable(head)) = self.find(path)? else { return Ok(false) };
            Ok(Machine::of(&head) == Some(elf.machine))
        };
        if name.contains(&b'/') {
            return is_there(name);
        }
        let origin = target.split().map(|(parent, _)| parent.as_bytes().to_vec()).unwrap_or_default();
        let own = elf.run_paths.iter().map(|path| with_origin(path, &origin));
        for directory in own.chain(usual.iter().cloned()) {
            if is_there(&[&directory, &b"/"[..], name].concat())? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A directory that a program names for its libraries, its own directory put in (ld.so(8), `$ORIGIN`).
fn with_origin(path: &[u8], origin: &[u8]) -> Vec<u8> {
    let rest = [&b"$ORIGIN"[..], b"${ORIGIN}"].into_iter().find_map(|word| path.strip_prefix(word));
    rest.map_or_else(|| path.to_vec(), |rest| [origin, rest].concat())
}
