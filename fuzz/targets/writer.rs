//! Any tree as an EROFS image: read back it is the same, and fsck.erofs is content.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| veneer_fuzz::writer::prove_writer(bytes));
