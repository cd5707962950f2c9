//! Files, links and directories that go into an image besides its layers: the topmost layer of all.
//! It opens no file: whoever injects one gives something that can be read.
//! Parents are those of the image, links among them followed inside the root; missing ones are made.

use crate::image::tree::{Content, Meta, Piece, Special};
use crate::inject::Given;
use crate::layer::entry::{Entry, Kind, Layer, LayerReader};
use crate::layer::fault::bad;
use crate::layer::path::LayerPath;
use std::io::{self, Read};

/// Bytes that can be read from their beginning, as often as is asked.
pub trait Source {
    /// How many.
    fn size(&self) -> u64;

    /// Begins.
    fn open(&self) -> io::Result<Box<dyn Read + '_>>;
}

impl Source for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.as_slice()))
    }
}

/// What is put at a name.
pub enum Injected {
    /// A file.
    File(Box<dyn Source>),
    /// A directory; one that is there already gets this one's permissions if something was said of them.
    Directory(Given),
    /// A symbolic link.
    Symlink(Box<[u8]>),
}

/// One thing to inject.
pub struct Injection {
    /// Where.
    pub target: LayerPath,
    /// What.
    pub what: Injected,
    /// Its permissions, owner and time.
    pub meta: Meta,
}

/// All that is injected, in its order.
#[derive(Default)]
pub struct Injections(pub Vec<Injection>);

impl Layer for Injections {
    fn name(&self) -> String {
        "what is injected".into()
    }

    fn open(&self, _limit: u64) -> io::Result<Box<dyn LayerReader + '_>> {
        Ok(Box::new(InjectionReader { rest: self.0.iter(), file: None, open: None, buffer: vec![0; 64 << 10] }))
    }
}

struct InjectionReader<'a> {
    rest: std::slice::Iter<'a, Injection>,
    /// The file that came last; it is opened when its bytes are wanted.
    file: Option<&'a dyn Source>,
    open: Option<Box<dyn Read + 'a>>,
    buffer: Vec<u8>,
}

impl LayerReader for InjectionReader<'_> {
    fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        let Some(injection) = self.rest.next() else { return Ok(None) };
        let meta = injection.meta.clone();
        let kind = match &injection.what {
            Injected::File(source) => {
                self.file = Some(&**source);
                Kind::File(meta, source.size())
            }
            Injected::Directory(Given::Said) => Kind::Directory(meta),
            Injected::Directory(Given::Nothing) => Kind::AnyDirectory(meta),
            Injected::Symlink(target) => {
                let special = Special::Symlink(target.clone());
                crate::layer::archive::check_special(&special)?;
                Kind::Special(meta, special)
            }
        };
        if injection.target.is_root() && !matches!(kind, Kind::Directory(_) | Kind::AnyDirectory(_)) {
            return Err(bad("the root is no directory"));
        }
        Ok(Some(Entry { path: injection.target.clone(), kind }))
    }

    fn content(&mut self) -> &mut dyn Content {
        self
    }
}

impl Content for InjectionReader<'_> {
    fn next_piece(&mut self) -> io::Result<Option<Piece<'_>>> {
        if let Some(source) = self.file.take() {
            self.open = Some(source.open()?);
        }
        let Some(open) = &mut self.open else { return Ok(None) };
        let count = open.read(&mut self.buffer)?;
        Ok(Some(Piece::Data(&self.buffer[..count])).filter(|_| count > 0))
    }
}
