//! What `veneer-convert` is asked for, and what it then does, step by step.
//! Nothing here reads a layer or writes an image: `merge` and `image` do, run by `host::convert`.

pub mod spec;
pub mod steps;

pub use spec::{Arguments, Doing, Format, Spec};
pub use steps::{Step, steps};
