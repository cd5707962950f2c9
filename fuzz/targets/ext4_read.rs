//! Any bytes as an ext4 image: read, or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| veneer_fuzz::image::prove_ext4_read(bytes));
