//! Any bytes as messages of a user who asks for overlays: a request that keeps every rule, or a refusal with its reason.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| veneer_fuzz::request::prove_request(bytes));
