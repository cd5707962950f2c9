//! What the kernel says of this process, in numbers of bits.
//! It decides nothing by them.
//! Source: proc_pid_status(5), `SigIgn` and `CapEff`.

/// The bits of a field in hex; none if it cannot be read.
pub(super) fn bits(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    parse(&status, field)
}

fn parse(status: &str, field: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    u64::from_str_radix(value.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_found_by_the_name_of_their_field() {
        let status = "Name:\tx\nSigIgn:\t0000000000001001\nCapEff:\t000001ffffffffff\n";
        assert_eq!(parse(status, "SigIgn"), Some(0x1001));
        assert_eq!(parse(status, "CapEff"), Some(0x1ff_ffff_ffff));
        assert_eq!((parse(status, "Sig"), parse(status, "Name"), parse("", "SigIgn")), (None, None, None));
        assert!(bits("CapEff").is_some());
    }
}
