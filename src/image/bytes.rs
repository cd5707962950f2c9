//! Numbers into fixed places of a block, little-endian, as all on-disk formats here have them.
//! It knows no format: the places are the caller's, and lie inside its block.
//! Rules: none but the byte order.

/// A block or a record that is being filled in.
pub trait Fields {
    /// Puts some bytes at a place.
    fn put(&mut self, at: usize, bytes: &[u8]);

    /// Puts 16 bits at a place.
    fn put_u16(&mut self, at: usize, value: u16) {
        self.put(at, &value.to_le_bytes());
    }

    /// Puts 32 bits at a place.
    fn put_u32(&mut self, at: usize, value: u32) {
        self.put(at, &value.to_le_bytes());
    }

    /// Puts 64 bits at a place.
    fn put_u64(&mut self, at: usize, value: u64) {
        self.put(at, &value.to_le_bytes());
    }

    /// Puts 64 bits with a sign at a place.
    fn put_i64(&mut self, at: usize, value: i64) {
        self.put(at, &value.to_le_bytes());
    }
}

impl Fields for [u8] {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        self[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

/// The 16 bits at a place.
pub fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// The 32 bits at a place.
pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The 64 bits at a place.
pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

/// CRC-32C as file systems keep it: begun with all ones or a value given, and not inverted at the end.
pub fn crc32c(begin: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(begin, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_check_value_holds() {
        assert_eq!(!crc32c(!0, b"123456789"), 0xe306_9283);
    }

    #[test]
    fn numbers_are_little_endian() {
        let mut block = [0; 8];
        block.put_u16(0, 0x0102);
        block.put_u32(2, 0x0304_0506);
        assert_eq!(block, [2, 1, 6, 5, 4, 3, 0, 0]);
        assert_eq!((u16_at(&block, 0), u32_at(&block, 2)), (0x0102, 0x0304_0506));
        assert_eq!(u64_at(&block, 0), 0x0304_0506_0102);
    }
}
