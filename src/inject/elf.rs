//! What a program in ELF says of the machine and the system it needs.
//! It runs nothing and looks at no other file; numbers in the file are never trusted to be small.
//! Source: elf(5), the System V ABI ("Program Header", "Dynamic Section").

use crate::layer::fault::bad;
use crate::verity::tree::ReadAt;
use std::fmt;
use std::io;

/// Which machines run it: class, byte order and number (`EI_CLASS`, `EI_DATA`, `e_machine`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    class: u8,
    order: u8,
    number: u16,
}

/// What a program needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elf {
    /// The machine.
    pub machine: Machine,
    /// The path of its interpreter; none if it is linked statically.
    pub interpreter: Option<Vec<u8>>,
    /// Libraries, by their names.
    pub needed: Vec<Vec<u8>>,
    /// Directories that it names for libraries (`DT_RPATH`, `DT_RUNPATH`).
    pub run_paths: Vec<Vec<u8>>,
}

/// Bytes of a header that say which machine it is for.
const IDENTITY: usize = 20;
/// Longest path or name that is read.
const STRING_MAX: usize = 4096;
/// Most program headers and dynamic entries that are looked at: real programs have a few dozen.
const HEADERS_MAX: u64 = 4096;
const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;

impl Machine {
    /// That of a file which begins like this; none if it is no ELF file.
    pub fn of(head: &[u8]) -> Option<Self> {
        let (head, true) = (head.get(..IDENTITY)?, head.starts_with(b"\x7fELF")) else { return None };
        let machine = Self { class: head[4], order: head[5], number: 0 };
        Some(Self { number: machine.number(&head[18..20]) as u16, ..machine })
    }

    /// A number of two, four or eight bytes.
    fn number(self, bytes: &[u8]) -> u64 {
        let put = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if self.order == 2 { bytes.iter().fold(0, put) } else { bytes.iter().rev().fold(0, put) }
    }

    fn is_wide(self) -> bool {
        self.class == 2
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // From elf.h.
        let name = match self.number {
            3 => "x86",
            8 => "MIPS",
            20 => "PowerPC",
            21 => "PowerPC64",
            22 => "s390x",
            40 => "ARM",
            62 => "x86-64",
            183 => "AArch64",
            243 => "RISC-V",
            258 => "LoongArch",
            other => return write!(f, "machine {other}, {} bits", if self.is_wide() { 64 } else { 32 }),
        };
        write!(f, "{name}, {} bits", if self.is_wide() { 64 } else { 32 })
    }
}

/// A program header: its type, and its part of the file and of memory.
struct Segment {
    kind: u64,
    at: u64,
    address: u64,
    size: u64,
}

impl Elf {
    /// Reads what a file says; none if it is no ELF file.
    pub fn read(data: &dyn ReadAt, size: u64) -> io::Result<Option<Self>> {
        let mut head = [0; 64];
        let there = size.min(64) as usize;
        data.read_at(&mut head[..there], 0)?;
        let Some(machine) = Machine::of(&head[..there]) else { return Ok(None) };
        if there < 64 && machine.is_wide() || there < 52 {
            return Err(bad("its ELF header is cut off"));
        }
        let file = File { data, size, machine };
        let segments = file.segments(&head)?;
        let find = |kind| segments.iter().find(|segment| segment.kind == kind);
        let mut elf = Self { machine, interpreter: None, needed: Vec::new(), run_paths: Vec::new() };
        if let Some(segment) = find(PT_INTERP) {
            elf.interpreter = Some(file.string(segment.at)?);
        }
        if let Some(segment) = find(PT_DYNAMIC) {
            file.dynamic(segment, &segments, &mut elf)?;
        }
        Ok(Some(elf))
    }
}

struct File<'a> {
    data: &'a dyn ReadAt,
    size: u64,
    machine: Machine,
}

impl File<'_> {
    fn bytes(&self, at: u64, length: u64) -> io::Result<Vec<u8>> {
        let inside = at.checked_add(length).is_some_and(|end| end <= self.size);
        if !inside {
            return Err(bad("its ELF header points outside of it"));
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.data.read_at(&mut bytes, at)?;
        Ok(bytes)
    }

    /// A string up to its zero byte.
    fn string(&self, at: u64) -> io::Result<Vec<u8>> {
        let left = self.size.checked_sub(at).ok_or_else(|| bad("its ELF header points outside of it"))?;
        let mut bytes = self.bytes(at, left.min(STRING_MAX as u64))?;
        let end = bytes.iter().position(|byte| *byte == 0).ok_or_else(|| bad("it has a string without an end"))?;
        bytes.truncate(end);
        Ok(bytes)
    }

    fn segments(&self, head: &[u8; 64]) -> io::Result<Vec<Segment>> {
        let wide = self.machine.is_wide();
        let number = |range: std::ops::Range<usize>| self.machine.number(&head[range]);
        let (at, entry, count) = match wide {
            true => (number(32..40), number(54..56), number(56..58)),
            false => (number(28..32), number(42..44), number(44..46)),
        };
        if count > HEADERS_MAX || entry < if wide { 56 } else { 32 } {
            return Err(bad("its ELF header has odd program headers"));
        }
        let bytes = self.bytes(at, entry * count)?;
        let segment = |header: &[u8]| {
            let number = |range: std::ops::Range<usize>| self.machine.number(&header[range]);
            let kind = number(0..4);
            match wide {
                true => Segment { kind, at: number(8..16), address: number(16..24), size: number(32..40) },
                false => Segment { kind, at: number(4..8), address: number(8..12), size: number(16..20) },
            }
        };
        Ok(bytes.chunks_exact(entry as usize).map(segment).collect())
    }

    fn dynamic(&self, segment: &Segment, segments: &[Segment], elf: &mut Elf) -> io::Result<()> {
        let half = if self.machine.is_wide() { 8 } else { 4 };
        let bytes = self.bytes(segment.at, segment.size.min(HEADERS_MAX * half as u64 * 2))?;
        let entries: Vec<(u64, u64)> = bytes
            .chunks_exact(half * 2)
            .map(|entry| (self.machine.number(&entry[..half]), self.machine.number(&entry[half..])))
            .take_while(|(tag, _)| *tag != 0)
            .collect();
        let Some((_, address)) = entries.iter().find(|(tag, _)| *tag == DT_STRTAB) else { return Ok(()) };
        let strings = in_file(segments, *address).ok_or_else(|| bad("its strings are nowhere in the file"))?;
        let text = |offset: u64| self.string(strings.saturating_add(offset));
        for (tag, value) in &entries {
            match *tag {
                DT_NEEDED => elf.needed.push(text(*value)?),
                DT_RPATH | DT_RUNPATH => {
                    elf.run_paths.extend(text(*value)?.split(|byte| *byte == b':').map(<[u8]>::to_vec));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Where in the file what is loaded to an address is.
fn in_file(segments: &[Segment], address: u64) -> Option<u64> {
    let loaded = segments.iter().filter(|segment| segment.kind == PT_LOAD);
    loaded.into_iter().find_map(|segment| {
        let within = address.checked_sub(segment.address).filter(|within| *within < segment.size)?;
        segment.at.checked_add(within)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> io::Result<Option<Elf>> {
        struct Bytes(Vec<u8>);
        impl ReadAt for Bytes {
            fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
                self.0[..].read_at(buffer, offset)
            }
        }
        Elf::read(&Bytes(bytes.to_vec()), bytes.len() as u64)
    }

    /// A real program: this one.
    fn own() -> Vec<u8> {
        let path = std::env::current_exe().expect("this program");
        let mut bytes = Vec::new();
        // All that a loader looks at is at the beginning, but for what the linker put behind the code.
        io::Read::read_to_end(&mut std::fs::File::open(path).expect("opened"), &mut bytes).expect("read");
        bytes
    }

    #[test]
    fn a_real_program_says_what_the_loader_takes() {
        let elf = read(&own()).expect("good").expect("ELF");
        let interpreter = elf.interpreter.expect("dynamic");
        assert!(std::fs::metadata(String::from_utf8(interpreter).expect("text")).expect("there").is_file());
        assert!(elf.needed.iter().any(|name| name.starts_with(b"libc.so")), "{:?}", elf.needed);
        assert_eq!(Some(elf.machine), Machine::of(&own()));
    }

    #[test]
    fn what_is_no_elf_file_is_none_and_what_is_cut_off_is_refused() {
        assert_eq!(read(b"").expect("read"), None);
        assert_eq!(read(b"#!/bin/sh\n").expect("read"), None);
        assert_eq!(read(&[0; 100]).expect("read"), None);
        let own = own();
        for size in [20, 51, 63, 64, 100, 300] {
            assert!(read(&own[..size]).is_err(), "{size}");
        }
    }

    #[test]
    fn no_change_of_a_header_makes_it_panic() {
        let own = own();
        let head = &own[..own.len().min(1 << 16)];
        let mut dice = 7u64;
        for _ in 0..20_000 {
            let mut bytes = head.to_vec();
            for _ in 0..3 {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                bytes[(dice >> 33) as usize % 1024] = [0, 0xff, (dice >> 56) as u8][(dice >> 20) as usize % 3];
            }
            // Whatever comes of it.
            drop(read(&bytes));
        }
    }

    #[test]
    fn numbers_have_the_files_own_order() {
        let machine = |order, bytes: [u8; 2]| {
            let head = [&b"\x7fELF\x02"[..], &[order], &[0; 12], &bytes].concat();
            Machine::of(&head).expect("ELF").to_string()
        };
        assert_eq!(machine(1, [183, 0]), "AArch64, 64 bits");
        assert_eq!(machine(2, [0, 22]), "s390x, 64 bits");
        assert_eq!(machine(1, [0, 9]), "machine 2304, 64 bits");
    }
}
