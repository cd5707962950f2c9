//! What was tried, what was refused and why, and what came back wrong.
//! It shows the first few faults in full, and counts the rest.

use std::collections::BTreeMap;

/// Faults of one property shown in full.
const SHOWN: usize = 3;

#[derive(Default)]
pub(crate) struct Report {
    /// Per setting: taken and refused.
    tried: BTreeMap<&'static str, (usize, usize)>,
    /// The first refusal of each setting and kind of reason.
    reasons: BTreeMap<(&'static str, String), usize>,
    checks: usize,
    /// Per property.
    faults: BTreeMap<String, usize>,
}

impl Report {
    /// Parses a wild text, and keeps count.
    pub(crate) fn take<T>(
        &mut self,
        setting: &'static str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let counts = self.tried.entry(setting).or_default();
        match parse(text) {
            Ok(value) => {
                counts.0 += 1;
                Some(value)
            }
            Err(reason) => {
                counts.1 += 1;
                let plain: String = reason.chars().filter(char::is_ascii_lowercase).take(24).collect();
                *self.reasons.entry((setting, plain)).or_default() += 1;
                if reason.is_empty() {
                    self.wrong(setting, &format!("refused without a reason: {text:?}"), "");
                }
                None
            }
        }
    }

    pub(crate) fn checked(&mut self) {
        self.checks += 1;
    }

    /// A fault, with the line of the unit that is to blame.
    pub(crate) fn wrong(&mut self, property: &str, what: &str, text: &str) {
        let count = self.faults.entry(property.to_owned()).or_default();
        *count += 1;
        if *count <= SHOWN {
            println!("WRONG {property}: {what}");
            text.lines().filter(|line| line.starts_with(property)).for_each(|line| println!("    {line}"));
        }
    }

    /// One line on what was done since the last call.
    pub(crate) fn part(&mut self, name: &str, units: usize) {
        println!("{name}: {units} tried, {} comparisons, {} wrong so far", self.checks, self.faults());
        for (setting, (taken, refused)) in std::mem::take(&mut self.tried) {
            println!("  {setting}: {taken} taken, {refused} refused");
        }
        for (property, count) in &self.faults {
            println!("  WRONG {property}: {count} times");
        }
        self.checks = 0;
    }

    pub(crate) fn faults(&self) -> usize {
        self.faults.values().sum()
    }
}
