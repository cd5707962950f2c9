//! Layers and their merge: cases by hand, hostile archives, random layers against a plain model.

#![allow(unreachable_pub, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test, not a library")]

mod builder;
mod cases;
mod collect;
mod forms;
mod hostile;
mod images;
mod model;
mod peers;
mod random;
