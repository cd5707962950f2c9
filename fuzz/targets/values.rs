//! Any values in a well-formed app's file: what the newtypes take must not break out of its line.
//! The bytes are cut at 0xFF, and each piece is one value; which keys are there is the first piece's to say.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    // What is not UTF-8 becomes U+FFFD, 0xFF among it.
    let mut pieces = text.split('\u{fffd}');
    let choice = pieces.next().unwrap_or_default();
    veneer_fuzz::prove(&veneer_fuzz::file_of(choice.as_bytes(), pieces));
});
