//! Blocks on their way to a file, in order, written and hashed by a second thread in large pieces.
//! It knows no layout; what lies at the blocks' places is the writers' business.
//! The same blocks give the same file and digests, however the threads run.

use super::tree::Piece;
use crate::verity::build::{BLOCK, Leaves};
use crate::verity::tree::ReadAt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

/// A file that is read and written at offsets.
pub trait WriteAt: ReadAt + Send + 'static {
    /// Writes all of the bytes there.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes the file this long.
    fn set_size(&self, size: u64) -> io::Result<()>;

    /// Says that what was written there may go to the disk now, so that little is left for the end.
    fn begin_writeback(&self, _offset: u64, _length: u64) {}
}

/// Whether the blocks' digests are made on the way.
#[derive(Clone, Debug)]
pub enum Hashing {
    /// For a hash tree.
    Leaves(Leaves),
    /// There will be none.
    Nothing,
}

/// What the second thread is to do.
enum Job {
    /// Write these blocks, the first of which has this number.
    Write { first: u64, bytes: Vec<u8> },
    /// Say when all before this is done.
    Tell(SyncSender<()>),
}

/// Bytes that go to a file in one stream of blocks.
#[derive(Debug)]
pub struct BlockStream<F: WriteAt> {
    file: Arc<F>,
    /// What is not yet handed on, and the block it begins with.
    buffer: Vec<u8>,
    first: u64,
    hashed: bool,
    jobs: Option<SyncSender<Job>>,
    emptied: Receiver<Vec<u8>>,
    thread: Option<JoinHandle<io::Result<Hashing>>>,
}

/// Bytes handed on at once: they stay in the processor's cache from here to the digest and the write.
const BATCH: usize = 256 << 10;
/// Batches that wait at most.
const WAITING: usize = 4;
/// Bytes that go to the disk together: large enough for any disk, small beside an image.
const WRITEBACK: u64 = 8 << 20;

impl<F: WriteAt> BlockStream<F> {
    /// A stream from the file's beginning.
    pub fn new(file: F, hashing: Hashing) -> io::Result<Self> {
        let file = Arc::new(file);
        let (jobs, taken) = sync_channel(WAITING);
        let (give_back, emptied) = channel();
        let target = Arc::clone(&file);
        let hashed = matches!(hashing, Hashing::Leaves(_));
        let work = move || work(&*target, &taken, hashing, |buffer| drop(give_back.send(buffer)));
        let thread = std::thread::Builder::new().name("blocks".into()).spawn(work)?;
        let buffer = Vec::with_capacity(BATCH);
        Ok(Self { file, buffer, first: 0, hashed, jobs: Some(jobs), emptied, thread: Some(thread) })
    }

    /// The block that comes next; bytes of a block that has begun do not count.
    pub fn position(&self) -> u64 {
        self.first + (self.buffer.len() / BLOCK) as u64
    }

    /// Takes bytes.
    pub fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BATCH - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            self.hand_on_if_full()?;
        }
        Ok(())
    }

    /// Takes so many zero bytes.
    pub fn zeros(&mut self, mut count: u64) -> io::Result<()> {
        while count > 0 {
            let now = usize::try_from(count).unwrap_or(BATCH).min(BATCH - self.buffer.len());
            self.buffer.resize(self.buffer.len() + now, 0);
            count -= now as u64;
            self.hand_on_if_full()?;
        }
        Ok(())
    }

    /// Takes a piece of a file, a hole as the zeros it stands for.
    pub fn piece(&mut self, piece: Piece<'_>) -> io::Result<()> {
        match piece {
            Piece::Data(bytes) => self.write(bytes),
            Piece::Hole(size) => self.zeros(size),
        }
    }

    /// Fills the block that has begun with zeros.
    pub fn pad(&mut self) -> io::Result<()> {
        let over = self.buffer.len() % BLOCK;
        if over == 0 { Ok(()) } else { self.zeros((BLOCK - over) as u64) }
    }

    /// Leaves out blocks, which read as zeros: holes if nobody wants their digests.
    pub fn skip(&mut self, blocks: u64) -> io::Result<()> {
        if self.hashed {
            return self.zeros(blocks * BLOCK as u64);
        }
        self.pad()?;
        self.hand_on()?;
        self.first += blocks;
        Ok(())
    }

    /// Goes back to a block: what came since is written over by what comes now.
    pub fn rewind(&mut self, block: u64) {
        match block.checked_sub(self.first) {
            Some(kept) => self.buffer.truncate(usize::try_from(kept).map_or(usize::MAX, |kept| kept * BLOCK)),
            None => {
                self.buffer.clear();
                self.first = block;
            }
        }
    }

    /// Reads a block that was written.
    pub fn read_back(&mut self, block: u64, bytes: &mut [u8; BLOCK]) -> io::Result<()> {
        self.hand_on()?;
        let (tell, told) = sync_channel(1);
        self.send(Job::Tell(tell))?;
        match told.recv() {
            Ok(()) => self.file.read_at(bytes, block * BLOCK as u64),
            Err(_) => Err(self.why_it_ended()),
        }
    }

    /// Ends the stream; the last block is whole by then.
    pub fn settle(mut self) -> io::Result<Settled<F>> {
        self.pad()?;
        self.hand_on()?;
        self.jobs = None;
        let mut hashing = self.join()?;
        if let Hashing::Leaves(leaves) = &mut hashing {
            leaves.truncate(self.first);
        }
        self.file.set_size(self.first * BLOCK as u64)?;
        Ok(Settled { file: Arc::clone(&self.file), blocks: self.first, hashing })
    }

    fn hand_on_if_full(&mut self) -> io::Result<()> {
        if self.buffer.len() == BATCH { self.hand_on() } else { Ok(()) }
    }

    /// Hands on the whole blocks; a begun one stays.
    fn hand_on(&mut self) -> io::Result<()> {
        let whole = self.buffer.len() / BLOCK * BLOCK;
        if whole == 0 {
            return Ok(());
        }
        let mut next = self.emptied.try_recv().unwrap_or_else(|_| Vec::with_capacity(BATCH));
        next.clear();
        next.extend_from_slice(&self.buffer[whole..]);
        self.buffer.truncate(whole);
        let bytes = std::mem::replace(&mut self.buffer, next);
        let first = self.first;
        self.first += (whole / BLOCK) as u64;
        self.send(Job::Write { first, bytes })
    }

    fn send(&mut self, job: Job) -> io::Result<()> {
        match self.jobs.as_ref().map(|jobs| jobs.send(job)) {
            Some(Ok(())) => Ok(()),
            _ => Err(self.why_it_ended()),
        }
    }

    fn why_it_ended(&mut self) -> io::Error {
        self.jobs = None;
        self.join().err().unwrap_or_else(|| io::Error::other("the thread that writes blocks has ended"))
    }

    fn join(&mut self) -> io::Result<Hashing> {
        let died = |why| io::Error::other(format!("the thread that writes blocks {why}"));
        self.thread.take().ok_or_else(|| died("has ended"))?.join().unwrap_or_else(|_| Err(died("died")))
    }
}

fn work<F: WriteAt>(
    file: &F,
    jobs: &Receiver<Job>,
    mut hashing: Hashing,
    give_back: impl Fn(Vec<u8>),
) -> io::Result<Hashing> {
    let mut dirty = 0;
    for job in jobs {
        match job {
            Job::Write { first, bytes } => {
                let begin = first * BLOCK as u64;
                file.write_at(&bytes, begin)?;
                dirty = write_back(file, dirty.min(begin), begin + bytes.len() as u64);
                if let Hashing::Leaves(leaves) = &mut hashing {
                    leaves.set(first, &bytes)?;
                }
                give_back(bytes);
            }
            // Who asked may have given up.
            Job::Tell(tell) => drop(tell.send(())),
        }
    }
    Ok(hashing)
}

/// Hands the bytes from `begin` on to the disk once they are enough; where those begin that are left.
fn write_back<F: WriteAt>(file: &F, begin: u64, end: u64) -> u64 {
    if end - begin < WRITEBACK {
        return begin;
    }
    file.begin_writeback(begin, end - begin);
    end
}

/// A stream that has ended; single blocks can still be changed.
#[derive(Debug)]
pub struct Settled<F: WriteAt> {
    file: Arc<F>,
    blocks: u64,
    hashing: Hashing,
}

impl<F: WriteAt> Settled<F> {
    /// Blocks in the file.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Changes a block, and its digest with it.
    pub fn change(&mut self, block: u64, change: impl FnOnce(&mut [u8; BLOCK])) -> io::Result<()> {
        let mut bytes = [0; BLOCK];
        let offset = block * BLOCK as u64;
        self.file.read_at(&mut bytes, offset)?;
        change(&mut bytes);
        self.file.write_at(&bytes, offset)?;
        match &mut self.hashing {
            Hashing::Leaves(leaves) => leaves.set(block, &bytes),
            Hashing::Nothing => Ok(()),
        }
    }

    /// Makes the file longer by blocks that read as zeros; where digests were asked for there are none of these.
    pub fn lengthen(&mut self, blocks: u64) -> io::Result<()> {
        self.blocks = self.blocks.max(blocks);
        self.file.set_size(self.blocks * BLOCK as u64)
    }

    /// The digests, if they were asked for.
    pub fn into_hashing(self) -> Hashing {
        self.hashing
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::image::identity::Uuid;
    use std::sync::{Mutex, PoisonError};

    /// A file in memory; one that is full refuses to grow.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Memory {
        pub(crate) bytes: Arc<Mutex<Vec<u8>>>,
        pub(crate) room: Option<u64>,
        /// What may go to the disk: offset and length.
        handed: Arc<Mutex<Vec<(u64, u64)>>>,
    }

    impl ReadAt for Memory {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
            self.bytes.lock().unwrap_or_else(PoisonError::into_inner)[..].read_at(buffer, offset)
        }
    }

    impl WriteAt for Memory {
        fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
            let end = offset as usize + bytes.len();
            if self.room.is_some_and(|room| end as u64 > room) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let mut all = self.bytes.lock().expect("lock");
            let longer = all.len().max(end);
            all.resize(longer, 0);
            all[offset as usize..end].copy_from_slice(bytes);
            Ok(())
        }

        fn set_size(&self, size: u64) -> io::Result<()> {
            self.bytes.lock().expect("lock").resize(size as usize, 0);
            Ok(())
        }

        fn begin_writeback(&self, offset: u64, length: u64) {
            self.handed.lock().expect("lock").push((offset, length));
        }
    }

    impl Memory {
        pub(crate) fn take(&self) -> Vec<u8> {
            std::mem::take(&mut self.bytes.lock().expect("lock"))
        }
    }

    fn stream(file: &Memory) -> BlockStream<Memory> {
        BlockStream::new(file.clone(), Hashing::Leaves(Leaves::new([3; 32]))).expect("stream")
    }

    fn root(settled: Settled<Memory>) -> String {
        let Hashing::Leaves(leaves) = settled.into_hashing() else { panic!("no leaves") };
        leaves.build(Uuid([0; 16])).expect("tree").root.to_string()
    }

    fn root_of(bytes: &[u8]) -> String {
        let leaves = Leaves::read([3; 32], bytes, (bytes.len() / BLOCK) as u64, 1).expect("read");
        leaves.build(Uuid([0; 16])).expect("tree").root.to_string()
    }

    #[test]
    fn what_goes_in_comes_out_and_its_digests_fit() {
        let file = Memory::default();
        let mut stream = stream(&file);
        let mut wanted = Vec::new();
        for (index, size) in [1, 4095, 10_000, 3 << 20, 0, 77].into_iter().enumerate() {
            let piece = vec![index as u8 + 1; size];
            stream.write(&piece).expect("written");
            wanted.extend(piece);
        }
        stream.zeros(700_000).expect("zeros");
        stream.pad().expect("padded");
        wanted.resize((wanted.len() + 700_000).next_multiple_of(BLOCK), 0);
        assert_eq!(stream.position(), (wanted.len() / BLOCK) as u64);
        let mut settled = stream.settle().expect("settled");
        settled.change(5, |block| block[7] = 99).expect("changed");
        wanted[5 * BLOCK + 7] = 99;
        assert_eq!(root(settled), root_of(&wanted));
        assert!(file.take() == wanted);
    }

    #[test]
    fn going_back_leaves_no_trace() {
        for size in [BLOCK, 3 << 20] {
            let file = Memory::default();
            let mut stream = stream(&file);
            stream.write(&[1; 2 * BLOCK]).expect("written");
            stream.write(&vec![2; size]).expect("written");
            stream.rewind(2);
            stream.write(&[3; BLOCK]).expect("written");
            let mut back = [0; BLOCK];
            stream.read_back(2, &mut back).expect("read");
            assert_eq!(back, [3; BLOCK]);
            let wanted = [[1; 2 * BLOCK].to_vec(), vec![3; BLOCK]].concat();
            assert_eq!(root(stream.settle().expect("settled")), root_of(&wanted));
            assert!(file.take() == wanted);
        }
    }

    #[test]
    fn what_is_written_goes_to_the_disk_before_the_end_and_again_if_it_changed() {
        let file = Memory::default();
        let mut stream = stream(&file);
        let half = vec![1; WRITEBACK as usize / 2];
        for _ in 0..3 {
            stream.write(&half).expect("written");
        }
        stream.read_back(0, &mut [0; BLOCK]).expect("all are written");
        assert_eq!(*file.handed.lock().expect("lock"), [(0, WRITEBACK)]);
        let again = WRITEBACK / 2;
        stream.rewind(again / BLOCK as u64);
        for _ in 0..2 {
            stream.write(&half).expect("written");
        }
        stream.settle().expect("settled");
        assert_eq!(file.handed.lock().expect("lock")[1..], [(again, WRITEBACK)]);
    }

    #[test]
    fn a_full_disk_comes_back_as_what_it_is() {
        let file = Memory { room: Some(1 << 20), ..Memory::default() };
        let mut stream = stream(&file);
        let mut result = Ok(());
        for _ in 0..100 {
            result = result.and_then(|()| stream.write(&[1; 100_000]));
        }
        let error = result.and_then(|()| stream.settle().map(|_| ())).expect_err("full");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
