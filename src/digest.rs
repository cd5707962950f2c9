//! A short, stable digest for telling two texts apart.
//! It is no protection against anyone who wants a collision: root hashes are, see `root_hash`.
//! FNV-1a, 64 bits (draft-eastlake-fnv): the standard library's hasher may change between releases, this one may not.

/// The FNV-1a digest of some bytes.
pub fn fnv64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    #[test]
    fn known_values_hold() {
        assert_eq!(super::fnv64(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(super::fnv64(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(super::fnv64(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
