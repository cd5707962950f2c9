//! Layers and their merge: cases by hand, hostile archives, random layers against a plain model.

#![allow(unreachable_pub, reason = "a program, not a library")]

mod builder;
mod cases;
mod collect;
mod hostile;
mod model;
mod random;
