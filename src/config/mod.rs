//! What is typed: files by precedence, merged, read into the checked model.
//! Nothing here reads a disk (`host::config_files` does) or knows units.
//! The format is veneer.app(5) and veneer.toml(5); precedence and masks follow systemd.unit(5).
