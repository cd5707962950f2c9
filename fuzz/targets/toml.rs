//! Any bytes as an app's file: Problems or units, never a panic, never a line that nobody asked for.
//! Well-formed files are rare among them; `values` is for what comes after the parser.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        veneer_fuzz::prove(text);
    }
});
