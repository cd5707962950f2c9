//! What `veneer-convert` is asked for, and what it then does, step by step.
//! Nothing here reads a layer or writes an image: `merge` and `image` do, run by `host::convert`.

pub mod compression;
pub mod fault;
pub mod form;
pub mod output;
pub mod recipe;
pub mod spec;
pub mod steps;

pub use compression::Compression;
pub use form::Form;
pub use output::Output;
pub use spec::{Arguments, Beside, Doing, Spec};
pub use steps::{Step, steps};
