//! The messages of the device-mapper's control device, as bytes.
//! It calls nothing: `host` hands these bytes to the kernel and gives the answers back.
//! Layout: `struct dm_ioctl` and `struct dm_target_spec` (linux/dm-ioctl.h), interface 4.

use crate::name::AppId;

/// Bytes of `struct dm_ioctl`.
pub const HEADER: usize = 312;
/// Bytes of `struct dm_target_spec`.
const SPEC: usize = 40;
const NAME: std::ops::Range<usize> = 48..48 + 128;
const UUID: std::ops::Range<usize> = 176..176 + 129;
/// The oldest interface that knows deferred removal.
const VERSION: [u32; 3] = [4, 27, 0];

/// Bits of the header's flags.
pub mod flag {
    /// The table is read-only.
    pub const READ_ONLY: u32 = 1;
    /// The answer did not fit.
    pub const BUFFER_FULL: u32 = 1 << 8;
    /// Remove when the last user lets go.
    pub const DEFERRED_REMOVE: u32 = 1 << 17;
}

/// Commands of the control device; the numbers stand in linux/dm-ioctl.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Command {
    /// All devices' names.
    ListDevices = 2,
    /// A new device without a table.
    Create = 3,
    /// A device's end.
    Remove = 4,
    /// Resume: without the suspend flag, the loaded table becomes live.
    Resume = 6,
    /// Loads a table beside the live one.
    LoadTable = 9,
    /// What the targets say of themselves.
    TableStatus = 12,
}

/// A message, built to be sent and read after.
#[derive(Clone, Debug)]
pub struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// A message about a device (or none), with room for an answer of this many bytes.
    pub fn new(name: &str, flags: u32, room: usize) -> Self {
        let mut message = Self { bytes: vec![0; HEADER + room] };
        for (at, number) in VERSION.into_iter().enumerate() {
            message.put_u32(at * 4, number);
        }
        message.put_u32(12, (HEADER + room) as u32);
        message.put_u32(16, HEADER as u32);
        message.put_u32(28, flags);
        message.put_text(NAME, name);
        message
    }

    /// The message that creates a device with a uuid.
    pub fn create(name: &str, uuid: &str) -> Self {
        let mut message = Self::new(name, 0, 0);
        message.put_text(UUID, uuid);
        message
    }

    /// The message that loads a table of one read-only target.
    pub fn load_table(name: &str, sectors: u64, target: &str, parameters: &str) -> Self {
        let room = (SPEC + parameters.len() + 1).next_multiple_of(8);
        let mut message = Self::new(name, flag::READ_ONLY, room);
        message.put_u32(20, 1);
        let spec = HEADER;
        message.bytes[spec + 8..spec + 16].copy_from_slice(&sectors.to_ne_bytes());
        message.put_u32(spec + 20, room as u32);
        message.put_text(spec + 24..spec + 40, target);
        message.put_text(spec + SPEC..spec + room, parameters);
        message
    }

    /// The bytes, for the kernel to read and write.
    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// The flags of the answer.
    pub fn flags(&self) -> u32 {
        self.u32_at(28)
    }

    /// The minor number of the device in the answer: `dev_t` as the kernel's `huge_encode_dev` writes it.
    pub fn minor(&self) -> u32 {
        let dev = self.u64_at(40);
        ((dev & 0xff) | ((dev >> 12) & 0xfff_ff00)) as u32
    }

    /// Whether the answer did not fit into the room.
    pub fn is_truncated(&self) -> bool {
        self.flags() & flag::BUFFER_FULL != 0
    }

    /// The names in the answer to [`Command::ListDevices`] (`struct dm_name_list`).
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut at = self.u32_at(16) as usize;
        while self.bytes.len() >= at + 12 {
            let (dev, next) = (self.u64_at(at), self.u32_at(at + 8));
            if dev != 0 {
                names.push(self.text_at(at + 12));
            }
            if next == 0 {
                break;
            }
            at += next as usize;
        }
        names
    }

    /// What the first target says in the answer to [`Command::TableStatus`]; empty without a target.
    pub fn status(&self) -> String {
        if self.u32_at(20) == 0 { String::new() } else { self.text_at(self.u32_at(16) as usize + SPEC) }
    }

    fn put_u32(&mut self, at: usize, number: u32) {
        self.bytes[at..at + 4].copy_from_slice(&number.to_ne_bytes());
    }

    /// Puts a text and leaves at least one NUL behind it.
    fn put_text(&mut self, field: std::ops::Range<usize>, text: &str) {
        let room = field.len() - 1;
        let text = &text.as_bytes()[..text.len().min(room)];
        self.bytes[field.start..field.start + text.len()].copy_from_slice(text);
    }

    fn u32_at(&self, at: usize) -> u32 {
        self.bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_ne_bytes)
    }

    fn u64_at(&self, at: usize) -> u64 {
        self.bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_ne_bytes)
    }

    fn text_at(&self, at: usize) -> String {
        let bytes = self.bytes.get(at..).unwrap_or_default();
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    }
}

/// The name of one activation's device: `veneer-ID-` and eight hex digits, so a held one never blocks the next.
pub fn device_name(id: &AppId, activation: u32) -> String {
    format!("veneer-{id}-{activation:08x}")
}

/// The app whose device this name is; `a` is never taken for `a-b`, since the digits are always eight.
pub fn app_of_device(name: &str) -> Option<AppId> {
    let (id, digits) = name.strip_prefix("veneer-")?.rsplit_once('-')?;
    let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if digits.len() != 8 || !digits.bytes().all(lower_hex) {
        return None;
    }
    AppId::parse(id).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> AppId {
        AppId::parse(text).expect("good id")
    }

    #[test]
    fn devices_are_told_apart_exactly() {
        for text in ["a", "a-b", "a-00000000", "veneer-a", "x.y_z"] {
            assert_eq!(app_of_device(&device_name(&id(text), 0xabc)), Some(id(text)));
        }
        for other in
            ["veneer-a", "veneer-a-123", "veneer-a-0000000G", "veneer-a-ABCDEF01", "a-00000000", "veneer--00000000"]
        {
            assert_eq!(app_of_device(other), None, "{other}");
        }
        assert!(device_name(&id(&"x".repeat(64)), u32::MAX).len() < NAME.len());
    }

    #[test]
    fn a_table_is_laid_out_as_the_kernel_reads_it() {
        let mut message = Message::load_table("veneer-a-00000001", 8, "verity", "1 7:0 7:1");
        let bytes = message.bytes();
        assert_eq!(bytes.len(), 312 + 56);
        assert_eq!(&bytes[12..16], &368u32.to_ne_bytes());
        assert_eq!(&bytes[16..24], [312u32.to_ne_bytes(), 1u32.to_ne_bytes()].concat());
        assert_eq!(&bytes[28..32], &1u32.to_ne_bytes());
        assert_eq!(&bytes[48..66], b"veneer-a-00000001\0");
        assert_eq!(&bytes[320..328], &8u64.to_ne_bytes());
        assert_eq!(&bytes[332..336], &56u32.to_ne_bytes());
        assert_eq!(&bytes[336..343], b"verity\0");
        assert_eq!(&bytes[352..362], b"1 7:0 7:1\0");
    }

    #[test]
    fn answers_are_read_and_odd_ones_do_no_harm() {
        let mut message = Message::new("", 0, 64);
        let bytes = message.bytes();
        bytes[312] = 1;
        bytes[320] = 24;
        bytes[324..328].copy_from_slice(b"one\0");
        bytes[336] = 1;
        bytes[348..352].copy_from_slice(b"two\0");
        assert_eq!(message.names(), ["one", "two"]);
        message.bytes()[320..324].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert_eq!(message.names(), ["one"]);
        message.bytes()[40..48].copy_from_slice(&0x10_fd_02u64.to_ne_bytes());
        assert_eq!(message.minor(), 0x102);
    }
}
