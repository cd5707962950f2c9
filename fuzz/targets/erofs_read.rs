//! Any bytes as an EROFS image: read, or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| veneer_fuzz::image::prove_erofs_read(bytes));
