//! A larger disk than its image: the file grows, and the ext4 file system in it.
//! It never makes one smaller: data would be lost.
//! resize2fs(8) does it; it has no business in an image that has just been found good, so it is not asked to check it.

use crate::size::Size;
use crate::verity::Fault;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

/// Whether it can be this size.
pub fn check(from: u64, to: Size) -> Result<()> {
    match to.bytes() < from {
        true => Err(Fault::data(format!("the image has {from} bytes, and resize = \"{to}\" is less")).into()),
        false => Ok(()),
    }
}

/// Grows a file, which is open, and what is in it.
pub fn grow(file: &File, path: &str, to: Size) -> Result<()> {
    file.set_len(to.bytes()).with_context(|| format!("growing {path} to {to}"))?;
    let ran = Command::new("resize2fs").args(["-f", path]).stdin(Stdio::null()).env("LC_ALL", "C").output();
    let ran = match ran {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Fault::unavailable("growing a disk needs resize2fs (Debian: e2fsprogs)").into());
        }
        ran => ran.context("running resize2fs")?,
    };
    if ran.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ran.stderr);
    let said = said.lines().filter(|line| !line.starts_with("resize2fs ")).collect::<Vec<_>>().join(" ");
    Err(Fault::failure(format!("growing the file system in {path} to {to}: {said}")).into())
}
