//! Any layers of few names: the merge says what the plain model says.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| veneer_fuzz::layers::prove_merge(bytes));
