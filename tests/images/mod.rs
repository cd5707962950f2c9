//! What the tests of image writers share: trees, and the kernel's view of an image.

#![allow(clippy::expect_used, clippy::panic, dead_code, unreachable_pub, reason = "tests, of which each uses its part")]

pub mod model;
pub mod mounted;
pub mod reading;
