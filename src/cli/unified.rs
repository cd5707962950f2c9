//! The difference of two texts, as unified diff.
//! Pure, and quadratic in the changed lines only: units are short.
//! The format is POSIX's `diff -u`, with three lines of context.

/// Lines around a change.
const CONTEXT: usize = 3;

/// What happened to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit {
    Keep,
    Remove,
    Add,
}

/// The unified diff of two texts with these names; empty if they are equal.
pub fn diff(old_name: &str, new_name: &str, old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let edits = edits(&old, &new);
    let hunks = hunks(&edits);
    if hunks.is_empty() {
        return String::new();
    }
    let mut out = format!("--- {old_name}\n+++ {new_name}\n");
    for (first, last) in hunks {
        push_hunk(&edits[..first], &edits[first..last], &mut out);
    }
    out
}

type Line<'a> = (Edit, &'a str);

fn edits<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let (old_middle, new_middle) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let keep = |line: &&'a str| (Edit::Keep, *line);
    let mut all: Vec<Line<'a>> = old[..head].iter().map(keep).collect();
    all.extend(middle(old_middle, new_middle));
    all.extend(old[old.len() - tail..].iter().map(keep));
    all
}

/// By the longest common subsequence.
fn middle<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    let mut common = vec![vec![0_u32; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] =
                if old[i] == new[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::with_capacity(old.len() + new.len());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push((Edit::Keep, old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push((Edit::Remove, old[i]));
            i += 1;
        } else {
            lines.push((Edit::Add, new[j]));
            j += 1;
        }
    }
    lines
}

/// Ranges of edits that belong together: changes with their context, overlapping ones joined.
fn hunks(edits: &[Line<'_>]) -> Vec<(usize, usize)> {
    let mut hunks: Vec<(usize, usize)> = Vec::new();
    for (at, _) in edits.iter().enumerate().filter(|(_, (edit, _))| *edit != Edit::Keep) {
        let (first, last) = (at.saturating_sub(CONTEXT), (at + CONTEXT + 1).min(edits.len()));
        match hunks.last_mut() {
            Some(hunk) if first <= hunk.1 => hunk.1 = last,
            _ => hunks.push((first, last)),
        }
    }
    hunks
}

fn push_hunk(before: &[Line<'_>], lines: &[Line<'_>], out: &mut String) {
    let count = |lines: &[Line<'_>], other: Edit| lines.iter().filter(|(edit, _)| *edit != other).count();
    let range = |other: Edit| {
        let length = count(lines, other);
        // An empty range is named by the line before it.
        let first = count(before, other) + usize::from(length > 0);
        if length == 1 { first.to_string() } else { format!("{first},{length}") }
    };
    out.push_str(&format!("@@ -{} +{} @@\n", range(Edit::Add), range(Edit::Remove)));
    for (edit, line) in lines {
        out.push(match edit {
            Edit::Keep => ' ',
            Edit::Remove => '-',
            Edit::Add => '+',
        });
        out.push_str(line);
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a diff makes of a text, as patch(1) does.
    fn apply(old: &str, diff: &str) -> String {
        let old: Vec<&str> = old.lines().collect();
        let (mut new, mut at) = (Vec::new(), 0);
        for line in diff.lines().skip(2) {
            if let Some(range) = line.strip_prefix("@@ -") {
                let (first, length) = range.split(' ').next().unwrap().split_once(',').unwrap_or((line, "1"));
                let first: usize =
                    if first == line { range.split(' ').next().unwrap() } else { first }.parse().unwrap();
                let first = if length == "0" { first } else { first - 1 };
                new.extend(&old[at..first]);
                at = first;
                continue;
            }
            match line.split_at(1) {
                ("-", text) => assert_eq!(old[at], text),
                (_, text) => new.push(text),
            }
            at += usize::from(!line.starts_with('+'));
        }
        new.extend(&old[at..]);
        new.iter().map(|line| format!("{line}\n")).collect()
    }

    proptest! {
        #[test]
        fn a_diff_makes_the_new_text_of_the_old(old in "([abc]\n){0,30}", new in "([abc]\n){0,30}") {
            prop_assert_eq!(apply(&old, &diff("a", "b", &old, &new)), new);
        }
    }

    #[test]
    fn equal_texts_have_no_difference() {
        assert_eq!(diff("a", "b", "x\ny\n", "x\ny\n"), "");
    }

    #[test]
    fn a_change_has_three_lines_around_it() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let new = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n";
        let wanted = "--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n";
        assert_eq!(diff("a", "b", old, new), wanted);
    }

    #[test]
    fn far_changes_are_hunks_of_their_own() {
        let old: String = (1..30).map(|line| format!("{line}\n")).collect();
        let new = old.replace("\n3\n", "\nx\n").replace("\n27\n", "\n");
        let text = diff("a", "b", &old, &new);
        assert_eq!(text.matches("@@ -").count(), 2, "{text}");
        assert!(text.contains("@@ -24,6 +24,5 @@"), "{text}");
    }

    #[test]
    fn a_new_file_is_all_added() {
        assert_eq!(diff("/dev/null", "b", "", "x\n"), "--- /dev/null\n+++ b\n@@ -0,0 +1 @@\n+x\n");
        assert_eq!(diff("a", "/dev/null", "x\ny\n", ""), "--- a\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-x\n-y\n");
    }
}
