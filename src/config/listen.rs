//! Reads what a socket listens on (`service.listen`) and when a timer starts (`service.schedule`).
//! Whether an address is free is found at start.
//! The forms are systemd.socket(5)'s (`ListenStream=`) and systemd.time(7)'s ("Calendar Events").

use super::node::Kind;
use super::read::Field;
use super::report::{Report, did_you_mean};
use crate::app::Listen;
use crate::path::AbsPath;
use crate::unit::Text;
use std::net::{Ipv4Addr, Ipv6Addr};

/// `sun_path` of unix(7), less its closing NUL.
const SOCKET_PATH_MAX: usize = 107;

pub(super) fn listen(field: Field<'_, '_>, report: &mut Report) -> Vec<Listen> {
    let mut sockets: Vec<Listen> = Vec::new();
    let wanted = "an array of addresses: listen = [\"8080\", \"/run/hello.sock\"]";
    if let Kind::Text(_) | Kind::Integer(_) = field.kind {
        let mut shown = String::new();
        field.kind.show(&mut shown);
        field.error(report, format!("wants an array: write listen = [{shown}]"));
        return sockets;
    }
    for node in field.items(report, wanted) {
        let item = field.item(node);
        let parsed = match item.kind {
            Kind::Text(text) | Kind::Integer(text) => address(text),
            other => Err(format!("wants addresses as strings, not {}", other.what())),
        };
        match parsed {
            Ok(socket) if sockets.contains(&socket) => item.error(report, "this address is there twice"),
            Ok(socket) => sockets.push(socket),
            Err(reason) => item.error(report, reason),
        }
    }
    sockets
}

fn address(text: &str) -> Result<Listen, String> {
    let datagram = text.strip_prefix("udp:").or_else(|| text.strip_prefix("dgram:"));
    let address = datagram.unwrap_or(text);
    check_address(address)?;
    let line = Text::parse(address)?;
    Ok(if datagram.is_some() { Listen::Datagram(line) } else { Listen::Stream(line) })
}

fn check_address(text: &str) -> Result<(), String> {
    if text.starts_with('/') {
        let path = AbsPath::parse(text)?;
        if path.is_root() {
            return Err("the path of a socket is a file, not /".into());
        }
        return if path.as_str() == text {
            fits_socket(text)
        } else {
            Err(format!("write the path as {:?}", path.as_str()))
        };
    }
    if let Some(name) = text.strip_prefix('@') {
        let clean = !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic());
        return if clean {
            fits_socket(text)
        } else {
            Err(format!("{text:?} is not an abstract socket: '@' and printable ASCII"))
        };
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        return port(text);
    }
    let Some((host, last)) = text.rsplit_once(':') else {
        return Err(unknown(text));
    };
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(v6) if v6.parse::<Ipv6Addr>().is_ok() => port(last),
        None if host.parse::<Ipv4Addr>().is_ok() => port(last),
        None if text.parse::<Ipv6Addr>().is_ok() || host.parse::<Ipv6Addr>().is_ok() => {
            Err(format!("{text:?}: an IPv6 address stands in brackets: \"[{host}]:{last}\""))
        }
        _ => Err(unknown(text)),
    }
}

fn unknown(text: &str) -> String {
    format!(
        "{text:?} is not an address: a port, IPV4:PORT, [IPV6]:PORT, /PATH or @NAME, with udp: before it for datagrams"
    )
}

fn port(text: &str) -> Result<(), String> {
    // Digits only: "+80" parses as a number, but not for systemd.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if port > 0 && digits => Ok(()),
        _ => Err(format!("{text:?} is not a port: a number from 1 to 65535")),
    }
}

fn fits_socket(text: &str) -> Result<(), String> {
    if text.len() > SOCKET_PATH_MAX {
        return Err(format!("a socket's path has at most {SOCKET_PATH_MAX} bytes, this one has {}", text.len()));
    }
    Ok(())
}

/// Words that stand for a whole calendar event.
const SHORTHANDS: [&str; 9] =
    ["minutely", "hourly", "daily", "weekly", "monthly", "quarterly", "semiannually", "yearly", "annually"];
/// Other spellings that systemd takes; not offered.
const VARIANTS: [&str; 4] = ["anually", "biannually", "bi-annually", "semi-annually"];
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

pub(super) fn schedule(field: Field<'_, '_>, report: &mut Report) -> Vec<Text> {
    match field.kind {
        Kind::Text(_) => field.parse(report, calendar).into_iter().collect(),
        Kind::Array(_) => field.list(report, calendar).into_iter().map(|(_, text)| text).collect(),
        _ => {
            field.wrong(report, "a calendar event like \"daily\" or \"Mon *-*-* 04:00\"");
            Vec::new()
        }
    }
}

/// A light check: systemd reads the rest, and `systemd-analyze calendar` explains it.
fn calendar(text: &str) -> Result<Text, String> {
    let line = Text::parse(text)?;
    for (at, word) in text.split(' ').filter(|word| !word.is_empty()).enumerate() {
        let known = match word.starts_with(|c: char| c.is_ascii_alphabetic()) {
            true => word_fits(word, at == 0),
            false => word.chars().all(|c| c.is_ascii_digit() || "*-/,.:~@".contains(c)),
        };
        if !known {
            let near = did_you_mean(word, SHORTHANDS);
            return Err(format!("{word:?} is no part of a calendar event (systemd.time(7)){near}"));
        }
    }
    Ok(line)
}

/// A shorthand or days at the beginning, a time zone behind.
fn word_fits(word: &str, first: bool) -> bool {
    if !first {
        return word.chars().all(|c| c.is_ascii_alphanumeric() || "/_+-".contains(c));
    }
    let day = |name: &str| DAYS.iter().any(|day| name.len() >= 3 && (*day == name || day[..3] == *name));
    let word = word.to_ascii_lowercase();
    SHORTHANDS.contains(&&*word)
        || VARIANTS.contains(&&*word)
        || word.split([',', '.', '-']).filter(|part| !part.is_empty()).all(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendar_events_of_the_manual_are_taken() {
        // systemd.time(7), "Calendar Events", and forms that systemd-analyze(1) takes.
        for good in [
            "Sat,Thu,Mon..Wed,Sat..Sun",
            "Mon,Sun 12-*-* 2,1:23",
            "Wed *-1",
            "Wed..Wed,Wed *-1",
            "Wed, 17:48",
            "Wed..Sat,Tue 12-10-15 1:2:3",
            "*-*-7 0:0:0",
            "10-15",
            "monday *-12-* 17:00",
            "Mon,Fri *-*-3,1,2 *:30:45",
            "12,14,13,12:20,10,30",
            "12..14:10,20,30",
            "mon,fri *-1/2-1,3 *:30:45",
            "03-05 08:05:40",
            "2003-02..04-05",
            "2003-03-05 05:40 UTC",
            "*-05~07/1",
            "Fri 2012-11-23 11:12:13.5 Asia/Kolkata",
            "*:2/3",
            "@1395716396",
            "Weekly UTC",
            "semi-annually",
            "daily Etc/GMT+1",
        ] {
            assert!(calendar(good).is_ok(), "{good}: {:?}", calendar(good));
        }
        for bad in ["", "dayly", "every day", "at noon", "Mox *-*-*", "10;00", "1h"] {
            assert!(calendar(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_are_those_of_systemd_socket() {
        let stream = |text: &str| Text::parse(text).map(Listen::Stream);
        for good in ["1", "65535", "1.2.3.4:80", "[::1]:80", "[fe80::1]:443", "/run/a.sock", "@a", "@a/b:c"] {
            assert_eq!(address(good), stream(good), "{good}");
            for prefix in ["udp:", "dgram:"] {
                assert_eq!(address(&format!("{prefix}{good}")), Text::parse(good).map(Listen::Datagram), "{good}");
            }
        }
        let (long, longer) = (format!("/{}", "x".repeat(106)), format!("/{}", "x".repeat(107)));
        assert!(address(&long).is_ok());
        for bad in
            ["", "0", "65536", "-1", "+80", "80 ", "a:80", "::1", "1.2.3.4", "vsock:2:3", "/", "/a/", "@", &longer]
        {
            assert!(address(bad).is_err(), "{bad:?}");
        }
    }
}
