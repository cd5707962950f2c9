//! The layer of empty mount points that an app needs in its root and that its image may lack.
//! It holds nothing but empty directories and empty files, and removes nothing else.
//! The layer lies below the image, so what the image has itself is never hidden (overlayfs, lowest `lowerdir`).

use super::files;
use crate::path::AbsPath;
use crate::verity::spec::Point;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Modes of what is mounted over anyway.
const MODE: u32 = 0o755;

/// Makes the points below a directory.
pub fn make(layer: &str, points: &[Point]) -> Result<()> {
    if points.is_empty() {
        return Ok(());
    }
    files::make_directory(layer, MODE)?;
    points.iter().try_for_each(|point| make_one(layer, point))
}

/// Removes a layer: empty directories and empty files, never what anybody put in.
pub fn remove(layer: &str) -> Result<bool> {
    match fs::symlink_metadata(layer) {
        Ok(found) if found.is_dir() => {
            remove_below(Path::new(layer))?;
            files::remove_directory(layer)
        }
        _ => Ok(false),
    }
}

fn make_one(layer: &str, point: &Point) -> Result<()> {
    let mut parts: Vec<&str> = point.target.as_str().split('/').filter(|part| !part.is_empty()).collect();
    let last = parts.pop().filter(|_| point.source.as_ref().is_some_and(is_file));
    if last.is_none() {
        parts = point.target.as_str().split('/').filter(|part| !part.is_empty()).collect();
    }
    let mut path = layer.to_owned();
    for part in parts {
        path = format!("{path}/{part}");
        files::make_directory(&path, MODE)?;
    }
    if let Some(last) = last {
        let path = format!("{path}/{last}");
        fs::File::create(&path).with_context(|| format!("making the mount point {path}"))?;
    }
    Ok(())
}

fn is_file(source: &AbsPath) -> bool {
    fs::metadata(source.as_str()).is_ok_and(|found| !found.is_dir())
}

fn remove_below(directory: &Path) -> Result<()> {
    let entries = fs::read_dir(directory).with_context(|| format!("listing {}", directory.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("listing {}", directory.display()))?;
        let (path, found) = (entry.path(), entry.metadata()?);
        if found.is_dir() {
            remove_below(&path)?;
            fs::remove_dir(&path).with_context(|| format!("removing {}", path.display()))?;
        } else if found.is_file() && found.len() == 0 {
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(target: &str, source: Option<&str>) -> Point {
        let path = |text| AbsPath::parse(text).expect("good path");
        Point { target: path(target), source: source.map(path) }
    }

    #[test]
    fn points_are_made_by_their_sources_kind_and_removed_again() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let layer = format!("{}/points", dir.path().display());
        let points = [point("/a/b", None), point("/a/passwd", Some("/etc/passwd")), point("/a", Some("/etc"))];
        make(&layer, &points).expect("made");
        make(&layer, &points).expect("made again");
        assert!(fs::metadata(format!("{layer}/a/b")).expect("there").is_dir());
        assert!(fs::metadata(format!("{layer}/a/passwd")).expect("there").is_file());
        assert!(remove(&layer).expect("removed"));
        assert!(!remove(&layer).expect("gone"));
    }

    #[test]
    fn what_somebody_put_in_stays() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let layer = format!("{}/points", dir.path().display());
        make(&layer, &[point("/a", None)]).expect("made");
        fs::write(format!("{layer}/a/kept"), "data").expect("written");
        assert!(remove(&layer).is_err());
        assert!(fs::metadata(format!("{layer}/a/kept")).is_ok());
    }
}
