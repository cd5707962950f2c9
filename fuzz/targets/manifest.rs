//! Any documents as an image's: an image or an error, never a panic, never a file that was not asked for.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| veneer_fuzz::layers::prove_manifest(bytes));
