//! A layer's stream with its work spread over threads: one decompresses, one makes the digest, one takes the bytes.
//! What comes out does not depend on how many threads there are.
//! Chunks wait in bounded queues and are used again, so the memory is a few of them, whatever the layer's size.

use super::fault::bad;
use super::input::Input;
use super::stream::{Blob, Decoding, DiffId, Meter};
use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

/// Chunks that may wait between two threads.
const QUEUE: usize = 8;

/// How the work is spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Threads {
    /// All in the caller's.
    One,
    /// Decompression and digests in threads of their own.
    #[default]
    More,
}

type Chunk = io::Result<Vec<u8>>;

/// The bytes of a layer.
pub struct Stream {
    from: From,
    chunk: Vec<u8>,
    at: usize,
    bytes: u64,
    state: State,
}

enum State {
    Going,
    Ended,
    Failed(io::ErrorKind, String),
}

enum From {
    Here(Box<Here>),
    Threads { chunks: Receiver<Chunk>, empty: Sender<Vec<u8>> },
}

struct Here {
    decoding: Decoding,
    diff_id: Option<DiffId>,
}

impl Stream {
    /// Begins to decompress a blob into at most `limit` bytes.
    pub fn open(blob: Blob, limit: u64, meter: Meter, threads: Threads) -> io::Result<Self> {
        let decoding = Decoding::new(blob.reader, blob.stored, limit, meter)?;
        let diff_id = blob.diff_id.map(DiffId::new);
        let from = match threads {
            Threads::One => From::Here(Box::new(Here { decoding, diff_id })),
            Threads::More => started(decoding, diff_id)?,
        };
        Ok(Self { from, chunk: Vec::new(), at: 0, bytes: 0, state: State::Going })
    }

    /// Bytes that have come out of it so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads to the end, so that everything is compared.
    pub fn finish(&mut self) -> io::Result<()> {
        while !self.fill_buf()?.is_empty() {
            self.at = self.chunk.len();
        }
        Ok(())
    }

    fn next(&mut self) -> io::Result<()> {
        match &mut self.from {
            From::Here(here) => here.fill(&mut self.chunk),
            From::Threads { chunks, empty } => {
                let next = chunks.recv().map_err(|_| io::Error::other("the thread that decompresses has ended"))??;
                // The thread may have ended meanwhile: then nobody needs the chunk.
                let _ = empty.send(std::mem::replace(&mut self.chunk, next));
                Ok(())
            }
        }
    }
}

impl Here {
    fn fill(&mut self, chunk: &mut Vec<u8>) -> io::Result<()> {
        self.decoding.fill(chunk)?;
        match &mut self.diff_id {
            Some(diff_id) if !chunk.is_empty() => diff_id.update(chunk),
            _ if chunk.is_empty() => self.diff_id.take().map_or(Ok(()), DiffId::finish)?,
            _ => {}
        }
        Ok(())
    }
}

fn started(decoding: Decoding, diff_id: Option<DiffId>) -> io::Result<From> {
    let (empty, reused) = channel();
    let (send, chunks) = sync_channel(QUEUE);
    start("decompress", move || decompress(decoding, &send, &reused))?;
    let Some(diff_id) = diff_id else {
        return Ok(From::Threads { chunks, empty });
    };
    let (send, checked) = sync_channel(QUEUE);
    start("digest", move || digest(diff_id, &chunks, &send))?;
    Ok(From::Threads { chunks: checked, empty })
}

/// Nobody waits for the thread: it ends when nobody takes its chunks, or behind its last one.
fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.into()).spawn(work).map(drop)
}

/// An empty chunk is the end; after an error there is none.
fn decompress(mut decoding: Decoding, send: &SyncSender<Chunk>, reused: &Receiver<Vec<u8>>) {
    loop {
        let mut chunk = reused.try_recv().unwrap_or_default();
        let filled = decoding.fill(&mut chunk).map(|()| chunk);
        let last = filled.as_ref().map_or(true, Vec::is_empty);
        if send.send(filled).is_err() || last {
            return;
        }
    }
}

fn digest(mut diff_id: DiffId, chunks: &Receiver<Chunk>, send: &SyncSender<Chunk>) {
    for chunk in chunks {
        match &chunk {
            Ok(bytes) if bytes.is_empty() => {
                // Whoever gave up does not want to know.
                let _ = send.send(diff_id.finish().map(|()| Vec::new()));
                return;
            }
            Ok(bytes) => diff_id.update(bytes),
            Err(_) => {}
        }
        if send.send(chunk).is_err() {
            return;
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut have = self.fill_buf()?;
        let count = have.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Stream {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at < self.chunk.len() {
            return Ok(&self.chunk[self.at..]);
        }
        match &self.state {
            State::Going => {}
            State::Ended => return Ok(&[]),
            State::Failed(kind, said) => return Err(io::Error::new(*kind, said.clone())),
        }
        self.at = 0;
        if let Err(error) = self.next() {
            self.chunk.clear();
            self.state = State::Failed(error.kind(), error.to_string());
            return Err(error);
        }
        self.bytes += self.chunk.len() as u64;
        if self.chunk.is_empty() {
            self.state = State::Ended;
        }
        Ok(&self.chunk)
    }

    fn consume(&mut self, count: usize) {
        self.at = (self.at + count).min(self.chunk.len());
    }
}

impl Input for Stream {}

/// A stream that has failed its comparison says so rather than what the tar reader stumbled over.
pub fn better_reason(stream: &mut Stream, error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => match stream.finish() {
            Err(reason) if reason.kind() == io::ErrorKind::InvalidData => reason,
            _ if error.kind() == io::ErrorKind::UnexpectedEof => bad(error.to_string()),
            _ => error,
        },
        _ => error,
    }
}
