//! A bolt database, read: enough of it to find a key in buckets within each other.
//! It writes nothing and takes no lock: whoever owns the database may be at work, so `unchanged` says whether it was.
//! Layout: bbolt's `internal/common` (page, meta, bucket). Pages of the newest transaction are never written over by the
//! next one, so what was read is whole as long as the newest transaction is still the same.

use crate::image::bytes::{u16_at, u32_at, u64_at};
use crate::layer::fault::bad;
use crate::verity::tree::ReadAt;
use std::cell::Cell;
use std::io;

const MAGIC: u32 = 0xed0c_daed;
const VERSION: u32 = 2;
const PAGE_HEADER: usize = 16;
const ELEMENT: usize = 16;
/// Of a meta page behind its header: everything but the checksum, which comes last.
const META_SUMMED: usize = 56;
const BRANCH: u16 = 1;
const LEAF: u16 = 2;
/// Flag of an element whose value is a bucket.
const IS_BUCKET: u32 = 1;
/// A bucket's own page number and sequence, which stand before its page if that is inline.
const BUCKET_HEADER: usize = 16;
/// Page sizes are those of machines.
const PAGE_SIZES: std::ops::RangeInclusive<u64> = 512..=65_536;
/// Largest page with what overflows from it.
const PAGE_MAX: u64 = 16 << 20;
/// Pages that one search may read.
const PAGES: u32 = 100_000;

/// A database, as its newest transaction left it.
#[derive(Debug)]
pub struct Database<D> {
    data: D,
    size: u64,
    meta: Meta,
    pages_left: Cell<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Meta {
    page_size: u64,
    root: u64,
    transaction: u64,
}

/// A bucket: where its first page is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// A page of the file.
    Page(u64),
    /// A page that stands in the bucket above.
    Inline(Vec<u8>),
}

/// What a key leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Bytes(Vec<u8>),
    Bucket(Bucket),
}

fn broken(what: &str) -> io::Error {
    bad(format!("the database is damaged: {what}"))
}

impl<D: ReadAt> Database<D> {
    /// Opens a database of so many bytes.
    pub fn open(data: D, size: u64) -> io::Result<Self> {
        let meta = newest(&data, size)?;
        Ok(Self { data, size, meta, pages_left: Cell::new(PAGES) })
    }

    /// Whether nobody has written since it was opened; if somebody has, what was read means nothing.
    pub fn unchanged(&self) -> io::Result<bool> {
        Ok(newest(&self.data, self.size)? == self.meta)
    }

    /// The bucket of all buckets.
    pub fn root(&self) -> Bucket {
        Bucket::Page(self.meta.root)
    }

    /// A bucket in a bucket.
    pub fn bucket(&self, within: &Bucket, key: &[u8]) -> io::Result<Option<Bucket>> {
        Ok(match self.get(within, key)? {
            Some(Value::Bucket(bucket)) => Some(bucket),
            _ => None,
        })
    }

    /// A value in a bucket.
    pub fn value(&self, within: &Bucket, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        Ok(match self.get(within, key)? {
            Some(Value::Bytes(bytes)) => Some(bytes),
            _ => None,
        })
    }

    /// The names of the buckets in a bucket, in order; at most so many.
    pub fn buckets(&self, within: &Bucket, most: usize) -> io::Result<Vec<Vec<u8>>> {
        let (mut names, mut ahead) = (Vec::new(), Vec::new());
        let mut page = self.first(within)?;
        loop {
            if page.flags() == BRANCH {
                let below = (0..page.count()).map(|at| page.child(at)).collect::<io::Result<Vec<u64>>>()?;
                ahead.extend(below.into_iter().rev());
            } else {
                names.extend(page.buckets()?);
            }
            match ahead.pop() {
                Some(next) if names.len() < most => page = self.page(next)?,
                _ => break,
            }
        }
        names.truncate(most);
        Ok(names)
    }

    fn get(&self, within: &Bucket, key: &[u8]) -> io::Result<Option<Value>> {
        let mut page = self.first(within)?;
        while page.flags() == BRANCH {
            let mut child = None;
            for at in 0..page.count() {
                if at > 0 && page.branch_key(at)? > key {
                    break;
                }
                child = Some(page.child(at)?);
            }
            page = self.page(child.ok_or_else(|| broken("a branch has nothing below it"))?)?;
        }
        for at in 0..page.count() {
            let (found, value, flags) = page.leaf(at)?;
            if found == key {
                return Ok(Some(if flags & IS_BUCKET == 0 {
                    Value::Bytes(value.to_vec())
                } else {
                    Value::Bucket(bucket(value)?)
                }));
            }
        }
        Ok(None)
    }

    fn first(&self, bucket: &Bucket) -> io::Result<Page> {
        match bucket {
            Bucket::Page(number) => self.page(*number),
            Bucket::Inline(bytes) => Page::of(bytes.clone()),
        }
    }

    fn page(&self, number: u64) -> io::Result<Page> {
        // Pages that lead to each other in a circle end here.
        let left = self.pages_left.get().checked_sub(1).ok_or_else(|| broken("it has too many pages"))?;
        self.pages_left.set(left);
        let size = self.meta.page_size;
        let at = number.checked_mul(size).ok_or_else(|| broken("a page's number is too high"))?;
        let mut head = [0; PAGE_HEADER];
        self.data.read_at(&mut head, at)?;
        let length = (u64::from(u32_at(&head, 12)) + 1) * size;
        if u64_at(&head, 0) != number || length > PAGE_MAX || at.saturating_add(length) > self.size {
            return Err(broken("a page is not where it should be"));
        }
        let mut bytes = vec![0; length as usize];
        self.data.read_at(&mut bytes, at)?;
        Page::of(bytes)
    }
}

fn bucket(value: &[u8]) -> io::Result<Bucket> {
    if value.len() < BUCKET_HEADER {
        return Err(broken("a bucket is too short"));
    }
    match u64_at(value, 0) {
        0 => Ok(Bucket::Inline(value[BUCKET_HEADER..].to_vec())),
        number => Ok(Bucket::Page(number)),
    }
}

/// The newer of the two meta pages that are whole.
fn newest<D: ReadAt + ?Sized>(data: &D, size: u64) -> io::Result<Meta> {
    let first = meta(data, 0)?;
    // If the first is not whole, nobody knows where the second is: at the machine's page size, most likely.
    let second = meta(data, first.map_or(4096, |meta| meta.page_size).min(size))?;
    let metas = [first, second].into_iter().flatten();
    metas.max_by_key(|meta| meta.transaction).ok_or_else(|| bad("it is no bolt database"))
}

fn meta<D: ReadAt + ?Sized>(data: &D, at: u64) -> io::Result<Option<Meta>> {
    let mut bytes = [0; PAGE_HEADER + META_SUMMED + 8];
    match data.read_at(&mut bytes, at) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let meta = &bytes[PAGE_HEADER..];
    let page_size = u64::from(u32_at(meta, 8));
    let whole = u32_at(meta, 0) == MAGIC
        && u32_at(meta, 4) == VERSION
        && u64_at(meta, META_SUMMED) == fnv(&meta[..META_SUMMED])
        && PAGE_SIZES.contains(&page_size);
    Ok(whole.then(|| Meta { page_size, root: u64_at(meta, 16), transaction: u64_at(meta, 48) }))
}

/// FNV-1a of 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A page of keys.
struct Page(Vec<u8>);

impl Page {
    fn of(bytes: Vec<u8>) -> io::Result<Self> {
        if bytes.len() < PAGE_HEADER {
            return Err(broken("a page is too short"));
        }
        let page = Self(bytes);
        match page.flags() {
            BRANCH | LEAF => Ok(page),
            _ => Err(broken("a page is neither branch nor leaf")),
        }
    }

    fn flags(&self) -> u16 {
        u16_at(&self.0, 8)
    }

    fn count(&self) -> usize {
        usize::from(u16_at(&self.0, 10))
    }

    fn element(&self, at: usize) -> io::Result<&[u8]> {
        self.0.get(PAGE_HEADER + at * ELEMENT..).filter(|rest| rest.len() >= ELEMENT).ok_or_else(cut)
    }

    /// Key, value and flags of a leaf's element; places are counted from the element itself.
    fn leaf(&self, at: usize) -> io::Result<(&[u8], &[u8], u32)> {
        let element = self.element(at)?;
        let place = u32_at(element, 4) as usize;
        let (key, value) = (u32_at(element, 8) as usize, u32_at(element, 12) as usize);
        let rest = element.get(place..).ok_or_else(cut)?;
        let key = rest.get(..key).ok_or_else(cut)?;
        let value = rest.get(key.len()..).and_then(|rest| rest.get(..value)).ok_or_else(cut)?;
        Ok((key, value, u32_at(element, 0)))
    }

    /// The names of a leaf's buckets.
    fn buckets(&self) -> io::Result<Vec<Vec<u8>>> {
        let leaves = (0..self.count()).map(|at| self.leaf(at));
        let names = leaves.map(|leaf| leaf.map(|(key, _, flags)| (flags & IS_BUCKET != 0).then(|| key.to_vec())));
        names.filter_map(io::Result::transpose).collect()
    }

    fn branch_key(&self, at: usize) -> io::Result<&[u8]> {
        let element = self.element(at)?;
        let (place, size) = (u32_at(element, 0) as usize, u32_at(element, 4) as usize);
        element.get(place..).and_then(|rest| rest.get(..size)).ok_or_else(cut)
    }

    fn child(&self, at: usize) -> io::Result<u64> {
        Ok(u64_at(self.element(at)?, 8))
    }
}

fn cut() -> io::Error {
    broken("a key reaches beyond its page")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What stands under a key.
    pub(crate) enum Made {
        Value(&'static str),
        Bucket(Vec<(&'static str, Made)>),
    }

    /// A page of keys.
    fn leaf(number: u64, keys: &[(&str, Made)]) -> Vec<u8> {
        let mut bytes = [number.to_le_bytes().to_vec(), vec![2, 0, keys.len() as u8, 0, 0, 0, 0, 0]].concat();
        let (mut elements, mut behind) = (Vec::new(), Vec::new());
        for (at, (key, made)) in keys.iter().enumerate() {
            let (flags, value) = match made {
                Made::Value(text) => (0u32, text.as_bytes().to_vec()),
                Made::Bucket(below) => (IS_BUCKET, [vec![0; BUCKET_HEADER], leaf(0, below)].concat()),
            };
            let place = (keys.len() - at) * ELEMENT + behind.len();
            for number in [flags, place as u32, key.len() as u32, value.len() as u32] {
                elements.extend(number.to_le_bytes());
            }
            behind.extend([key.as_bytes().to_vec(), value].concat());
        }
        bytes.extend([elements, behind].concat());
        bytes
    }

    fn meta_page(number: u64, root: u64, transaction: u64) -> Vec<u8> {
        let mut meta = [MAGIC, VERSION, 4096, 0].iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        for word in [root, 0, 2, 9, transaction] {
            meta.extend(word.to_le_bytes());
        }
        let sum = fnv(&meta);
        let head = [number.to_le_bytes().to_vec(), vec![4, 0, 0, 0, 0, 0, 0, 0]].concat();
        padded([head, meta, sum.to_le_bytes().to_vec()].concat())
    }

    fn padded(mut page: Vec<u8>) -> Vec<u8> {
        assert!(page.len() <= 4096);
        page.resize(4096, 0);
        page
    }

    /// A database whose root is a branch with two leaves, and whose older meta page leads nowhere.
    pub(crate) fn database(first: &[(&str, Made)], second: &[(&str, Made)]) -> Vec<u8> {
        let mut branch = [4u64.to_le_bytes().to_vec(), vec![1, 0, 2, 0, 0, 0, 0, 0]].concat();
        for (place, key, page) in [(32u32, first[0].0, 5u64), (16 + first[0].0.len() as u32, second[0].0, 6)] {
            branch.extend([place.to_le_bytes(), (key.len() as u32).to_le_bytes()].concat());
            branch.extend(page.to_le_bytes());
        }
        branch.extend([first[0].0, second[0].0].concat().bytes());
        let free = padded(Vec::new());
        let pages = [meta_page(0, 99, 7), meta_page(1, 4, 8), free.clone(), free, padded(branch)];
        [pages.concat(), padded(leaf(5, first)), padded(leaf(6, second))].concat()
    }

    fn example() -> Vec<u8> {
        use Made::{Bucket, Value};
        database(
            &[("a", Value("1")), ("b", Bucket(vec![("x", Value("2")), ("y", Bucket(vec![("z", Value("3"))]))]))],
            &[("v1", Bucket(vec![("ns", Bucket(vec![]))])), ("w", Value(""))],
        )
    }

    fn open(bytes: &[u8]) -> io::Result<Database<&[u8]>> {
        Database::open(bytes, bytes.len() as u64)
    }

    #[test]
    fn keys_are_found_in_buckets_within_each_other() {
        let bytes = example();
        let database = open(&bytes).expect("opened");
        let root = database.root();
        let text = |bucket: &Bucket, key: &[u8]| database.value(bucket, key).expect("read");
        assert_eq!(text(&root, b"a").as_deref(), Some(&b"1"[..]));
        assert_eq!(text(&root, b"w").as_deref(), Some(&b""[..]));
        assert_eq!((text(&root, b""), text(&root, b"aa"), text(&root, b"zz"), text(&root, b"b")), Default::default());
        let b = database.bucket(&root, b"b").expect("read").expect("there");
        let y = database.bucket(&b, b"y").expect("read").expect("there");
        assert_eq!((text(&b, b"x"), text(&y, b"z")), (Some(b"2".to_vec()), Some(b"3".to_vec())));
        assert_eq!(database.buckets(&root, 9).expect("read"), [b"b".to_vec(), b"v1".to_vec()]);
        assert_eq!(database.buckets(&root, 1).expect("read"), [b"b".to_vec()]);
        assert!(database.unchanged().expect("read"));
    }

    #[test]
    fn damage_is_an_error_wherever_it_is() {
        let good = example();
        assert!(open(b"").is_err() && open(&good[..79]).is_err() && open(&[0; 9000]).is_err());
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 0xff;
            // Found, not found or refused: no panic, no endless search.
            let Ok(database) = open(&bytes) else { continue };
            let _ = database.value(&database.root(), b"w");
            if let Ok(names) = database.buckets(&database.root(), 99) {
                for name in names {
                    let below = database.bucket(&database.root(), &name);
                    let _ = below.map(|below| below.map(|below| database.buckets(&below, 99)));
                }
            }
        }
    }
}
