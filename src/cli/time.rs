//! Times for people: a date and how long ago it was.
//! Pure, and in UTC, which needs no database of time zones.
//! The look is systemd's (systemd.time(7)); the calendar is Howard Hinnant's `civil_from_days`.

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const UNITS: [(u64, &str); 4] = [(DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (1, "s")];

/// `2026-11-21 03:30:12 UTC`
pub fn date(seconds: u64) -> String {
    let (days, rest) = (seconds / DAY, seconds % DAY);
    // Days are counted from 0000-03-01, so that a leap day ends its year.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (rest / HOUR, rest % HOUR / MINUTE, rest % MINUTE);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// `5min 3s`: the two largest units.
pub fn span(seconds: u64) -> String {
    let Some(first) = UNITS.iter().position(|(size, _)| seconds >= *size) else {
        return "0s".into();
    };
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (size, name) in UNITS.iter().skip(first).take(2) {
        if rest / size > 0 {
            parts.push(format!("{}{name}", rest / size));
        }
        rest %= size;
    }
    parts.join(" ")
}

/// `5min`: the largest unit alone.
pub fn largest(seconds: u64) -> String {
    let unit = UNITS.iter().find(|(size, _)| seconds >= *size);
    unit.map_or_else(|| "0s".into(), |(size, name)| format!("{}{name}", seconds / size))
}

/// `2026-11-21 03:30:12 UTC; 5min 3s ago`
pub fn since(seconds: u64, now: u64) -> String {
    format!("{}; {} ago", date(seconds), span(now.saturating_sub(seconds)))
}

/// `12.3M`, to base 1024 as systemd counts.
pub fn bytes(n: u64) -> String {
    for (shift, suffix) in [(40, 'T'), (30, 'G'), (20, 'M'), (10, 'K')] {
        if n >> shift > 0 {
            return format!("{}.{}{suffix}", n >> shift, ((n & ((1 << shift) - 1)) * 10) >> shift);
        }
    }
    format!("{n}B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_date_1() {
        for (seconds, wanted) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_795_231_812, "2026-11-21 03:30:12 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(date(seconds), wanted);
        }
    }

    #[test]
    fn spans_and_sizes_are_short() {
        for (seconds, wanted) in [(0, "0s"), (59, "59s"), (303, "5min 3s"), (3600, "1h"), (90_061, "1d 1h")] {
            assert_eq!(span(seconds), wanted);
            assert_eq!(wanted.split(' ').next(), Some(&*largest(seconds)));
        }
        assert_eq!(bytes(512), "512B");
        assert_eq!(bytes(12_897_484), "12.2M");
    }
}
