//! Docker's directories of layers: which of them lie below which.
//! It reads no directory; `host` hands it the file `lower`.
//! Source: moby's overlay2 driver: `DIR/diff` is a layer, `DIR/lower` has `l/SHORT:l/SHORT…`, the topmost first, and
//! `l/SHORT` is a link to `../DIR/diff`.

/// The short names of the layers below, the topmost first; the error is a sentence.
pub fn lower(text: &str) -> Result<Vec<String>, String> {
    let wrong = |part: &str| format!("{part:?} is no layer of docker's: l/ and a short name are wanted");
    let parts = text.trim_end_matches('\n').split(':').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let short = part.strip_prefix("l/").ok_or_else(|| wrong(part))?;
            let good = !short.is_empty() && short.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if good { Ok(short.to_owned()) } else { Err(wrong(part)) }
        })
        .collect()
}

/// The directory's name that a short name's link says; nothing if it says anything else.
pub fn linked(target: &str) -> Option<&str> {
    let name = target.strip_prefix("../")?.strip_suffix("/diff")?;
    let good = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    good.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_is_read_and_leads_nowhere_else() {
        assert_eq!(lower("l/ABC:l/D2\n"), Ok(vec!["ABC".to_owned(), "D2".to_owned()]));
        assert_eq!(lower(""), Ok(vec![]));
        for bad in ["/etc", "l/../x", "l/", "l/a/b", "x/ABC"] {
            assert!(lower(bad).is_err(), "{bad}");
        }
        assert_eq!(linked("../0a1b-init/diff"), Some("0a1b-init"));
        for bad in ["../../x/diff", "/x/diff", "..//diff", "../x/y/diff", "../x/diff/.."] {
            assert_eq!(linked(bad), None, "{bad}");
        }
    }
}
