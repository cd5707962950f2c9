//! Any bytes as a layer's archive: a tree or an error, never a panic, never a name outside the root.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| veneer_fuzz::layers::prove_tar(bytes));
