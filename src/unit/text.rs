//! The typed unit writer: sections and settings in order, each value written for its kind.
//! It cannot produce a line that says anything but its setting: newlines never get through.
//! How each kind is quoted was found with a running systemd 252, 257 and 262 (tests/parser), after systemd.syntax(7).

use super::UnitName;
use super::value::{Arg, Directive, EnvVar, Text};
use crate::path::AbsPath;
use std::fmt::Write as _;

/// A value, escaped for its kind when written.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// A word of ours: a boolean, a number, a fixed name. Written as it is.
    Word(&'static str),
    /// Nothing: resets a list.
    Reset,
    /// One line, never quoted, `%` doubled.
    Text(&'a Text),
    /// A path that stands alone and is never quoted, `%` doubled.
    Path(&'a str),
    /// Paths in a list: quoted, without C escapes.
    Paths(&'a [&'a str]),
    /// Units, by their escaped names; nothing in them needs more.
    Units(&'a [&'a UnitName]),
    /// Program and arguments behind systemd's own prefixes: quoted, with C escapes, `%` and `$` doubled.
    Exec {
        /// `""` or systemd's prefixes (`+`), ours, never the user's.
        prefix: &'static str,
        /// Program first.
        argv: &'a [Arg],
    },
    /// The same in a template, with the instance (`%i`) between arguments.
    ExecOfInstance {
        /// `""` or systemd's prefixes (`+`), ours, never the user's.
        prefix: &'static str,
        /// Program first.
        before: &'a [Arg],
        /// Behind the instance.
        after: &'a [Arg],
    },
    /// One line of a template that is never quoted, with the instance (`%i`) in it; all other `%` doubled.
    OfInstance {
        /// Before the instance.
        before: &'a str,
        /// Behind it.
        after: &'a str,
    },
    /// One variable: quoted, with C escapes, `%` doubled.
    Env(&'a EnvVar),
    /// `SOURCE:TARGET` of a bind: both quoted, `:` escaped; `-` before a source that may be missing.
    Bind {
        /// `""` or `-`.
        prefix: &'static str,
        /// On the host.
        source: &'a AbsPath,
        /// In the root.
        target: &'a AbsPath,
    },
    /// `NAME:PATH` of a credential, never quoted.
    Credential {
        /// Its name.
        name: &'a str,
        /// Its file.
        file: &'a AbsPath,
    },
    /// The source of a mount. It becomes an argument of mount(8), and systemd expands those: `%` and `$` doubled.
    What(&'a str),
    /// Options of an overlay mount: general ones, the read-only layers, topmost first, and the directory that holds
    /// `upper` and `work`. In layers `:` is escaped (overlayfs.rst), `%` and `$` doubled; what has no spelling that
    /// every systemd reads, `Layer` has refused.
    Overlay {
        /// Options that stand before the layers.
        options: &'a [String],
        /// The read-only layers, topmost first.
        lower: &'a [&'a str],
        /// The writable side; none for a read-only overlay.
        upper: Option<&'a str>,
    },
    /// Mount options, joined by commas, never quoted, `%` and `$` doubled.
    Options(&'a [String]),
}

/// A unit file or drop-in being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    text: String,
}

impl Unit {
    /// An empty unit that says where it comes from.
    pub fn from_source(source: &AbsPath) -> Self {
        let mut unit = Self { text: String::with_capacity(640) };
        unit.text.push_str("# Written by veneer-generator; change the file below, or add a drop-in.\n[Unit]\n");
        unit.set("SourcePath", Value::Path(source.as_str()));
        unit
    }

    /// An empty unit that says it comes from the host's settings.
    pub fn of_host() -> Self {
        let mut unit = Self { text: String::with_capacity(320) };
        unit.text.push_str("# Written by veneer-generator from veneer.toml.\n[Unit]\n");
        unit
    }

    /// An empty unit of what no file describes any more.
    pub fn untold() -> Self {
        let mut unit = Self { text: String::with_capacity(320) };
        unit.text.push_str("# Written by veneer-generator for what is still there.\n[Unit]\n");
        unit
    }

    /// An empty unit of one boot, that says whose it is.
    pub fn of_overlay(record: &AbsPath) -> Self {
        let mut unit = Self { text: String::with_capacity(640) };
        // No SourcePath=: the record is written anew with each version, and systemd would want a reload for it.
        push_raw(&mut unit.text, &format!("# Written by veneer overlay; it goes with its record, {record}."));
        unit.text.push_str("\n[Unit]\n");
        unit
    }

    /// Begins a section.
    pub fn section(&mut self, name: &'static str) -> &mut Self {
        self.text.push('[');
        self.text.push_str(name);
        self.text.push_str("]\n");
        self
    }

    /// Adds a setting of ours.
    pub fn set(&mut self, name: &'static str, value: Value<'_>) -> &mut Self {
        self.line(name, value)
    }

    /// Adds a setting that the user named.
    pub fn directive(&mut self, directive: &Directive) -> &mut Self {
        self.text.push_str(directive.name());
        self.text.push('=');
        push_raw(&mut self.text, directive.value());
        self.text.push('\n');
        self
    }

    /// The text so far.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text, done.
    pub fn into_text(self) -> String {
        self.text
    }

    fn line(&mut self, name: &str, value: Value<'_>) -> &mut Self {
        self.text.push_str(name);
        self.text.push('=');
        push_value(&mut self.text, value);
        self.text.push('\n');
        self
    }
}

fn push_value(out: &mut String, value: Value<'_>) {
    match value {
        Value::Reset => {}
        Value::Word(word) => out.push_str(word),
        Value::Text(text) => push_raw(out, text.as_str()),
        Value::Path(path) => push_raw(out, path),
        Value::Paths(paths) => push_joined(out, paths, |out, path| push_quoted(out, path)),
        Value::Units(units) => push_joined(out, units, |out, unit| out.push_str(unit.as_str())),
        Value::Exec { prefix, argv } => {
            out.push_str(prefix);
            push_joined(out, argv, |out, arg| push_arg(out, arg.as_str()));
        }
        Value::ExecOfInstance { prefix, before, after } => {
            out.push_str(prefix);
            push_joined(out, before, |out, arg| push_arg(out, arg.as_str()));
            out.push_str(" %i");
            after.iter().for_each(|arg| {
                out.push(' ');
                push_arg(out, arg.as_str());
            });
        }
        Value::OfInstance { before, after } => {
            push_raw(out, before);
            out.push_str("%i");
            push_raw(out, after);
        }
        Value::Env(var) => push_env(out, var),
        Value::Bind { prefix, source, target } => {
            // The dash is part of the word, so it stands inside the quotes.
            out.push('"');
            out.push_str(prefix);
            push_bind(out, source.as_str());
            out.push_str("\":\"");
            push_bind(out, target.as_str());
            out.push('"');
        }
        Value::Credential { name, file } => {
            push_raw(out, name);
            out.push(':');
            push_raw(out, file.as_str());
        }
        Value::What(path) => push_source(out, path),
        Value::Options(options) => push_options(out, options),
        Value::Overlay { options, lower, upper } => {
            push_options(out, options);
            for (at, layer) in lower.iter().enumerate() {
                out.push_str(if at == 0 { ",lowerdir=" } else { ":" });
                push_layer(out, layer);
            }
            for (option, side) in upper.iter().flat_map(|dir| [("upperdir", dir), ("workdir", dir)]) {
                out.push(',');
                out.push_str(option);
                out.push('=');
                push_source(out, side);
                out.push_str(if option == "upperdir" { "/upper" } else { "/work" });
            }
        }
    }
}

fn push_options(out: &mut String, options: &[String]) {
    for (at, option) in options.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push_source(out, option);
    }
}

fn push_layer(out: &mut String, layer: &str) {
    for (at, part) in layer.split(':').enumerate() {
        if at > 0 {
            out.push_str("\\:");
        }
        push_source(out, part);
    }
}

/// An argument of mount(8): without quotes, but systemd expands `${…}` in it as in any command it runs.
fn push_source(out: &mut String, text: &str) {
    for (at, part) in text.split('$').enumerate() {
        if at > 0 {
            out.push_str("$$");
        }
        push_raw(out, part);
    }
}

fn push_joined<T>(out: &mut String, items: &[T], push: impl Fn(&mut String, &T)) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        push(out, item);
    }
}

/// Without quotes: only the specifiers' `%` means anything. Newlines were refused at the border;
/// should one come here all the same, it is dropped rather than let it begin a line of its own.
fn push_raw(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '%' => out.push_str("%%"),
            '\n' | '\0' => {}
            _ => out.push(c),
        }
    }
}

/// In quotes, where a backslash takes the next character as it is.
fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        push_raw(out, c.encode_utf8(&mut [0; 4]));
    }
    out.push('"');
}

/// One side of a bind, inside quotes. systemd 262 unquotes the whole and then splits it at each `:` that has no
/// backslash, and takes a backslash before nothing else; up to 257 a backslash in quotes takes any character as it is.
/// So a `"` is quoted by the other kind of quote, and the rest reads the same in both.
fn push_bind(out: &mut String, path: &str) {
    for c in path.chars() {
        match c {
            '"' => out.push_str("\"'\"'\""),
            '\\' => out.push_str("\\\\"),
            ':' => out.push_str("\\:"),
            _ => push_raw(out, c.encode_utf8(&mut [0; 4])),
        }
    }
}

/// In quotes, with C escapes, `%` and `$` doubled: an argument of an Exec line.
/// Quotes only where they are needed: plain words are what `systemctl cat` is read for.
fn push_arg(out: &mut String, text: &str) {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '=' | ':' | ',' | '+' | '@');
    if !text.is_empty() && text.chars().all(plain) {
        return out.push_str(text);
    }
    out.push('"');
    for c in text.chars() {
        if c == '$' {
            out.push_str("$$");
        } else {
            push_c_escaped(out, c);
        }
    }
    out.push('"');
}

fn push_env(out: &mut String, var: &EnvVar) {
    out.push('"');
    out.push_str(var.name());
    out.push('=');
    for c in var.value().chars() {
        push_c_escaped(out, c);
    }
    out.push('"');
}

fn push_c_escaped(out: &mut String, c: char) {
    match c {
        '"' | '\\' => {
            out.push('\\');
            out.push(c);
        }
        '%' => out.push_str("%%"),
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        '\r' => out.push_str("\\r"),
        // Writing to a String cannot fail.
        c if c.is_control() && c.is_ascii() => drop(write!(out, "\\x{:02x}", u32::from(c))),
        c if c.is_control() => drop(write!(out, "\\u{:04x}", u32::from(c))),
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: Value<'_>) -> String {
        let mut out = String::new();
        push_value(&mut out, value);
        out
    }

    #[test]
    fn arguments_are_quoted_only_where_needed() {
        let argv: Vec<Arg> = ["/bin/x", "--port=8080", "a b", "", "50%", "$HOME", "q\"\\", ";", "n\nt\t\u{1}ü"]
            .iter()
            .map(|arg| Arg::parse(arg).expect("good argument"))
            .collect();
        assert_eq!(
            written(Value::Exec { prefix: "", argv: &argv }),
            r#"/bin/x --port=8080 "a b" "" "50%%" "$$HOME" "q\"\\" ";" "n\nt\t\x01ü""#
        );
    }

    #[test]
    fn paths_in_lists_are_quoted_and_alone_are_not() {
        assert_eq!(written(Value::Paths(&["/a b", "/c\"\\%"])), r#""/a b" "/c\"\\%%""#);
        assert_eq!(written(Value::Path("/a b%")), "/a b%%");
    }

    #[test]
    fn no_value_can_begin_a_line_of_its_own() {
        assert_eq!(written(Value::Path("/a\nExecStart=/bin/sh")), "/aExecStart=/bin/sh");
        let var = EnvVar::parse("A", "x\nUser=root").expect("good variable");
        assert_eq!(written(Value::Env(&var)), "\"A=x\\nUser=root\"");
    }
}
