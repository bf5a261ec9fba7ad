//! Whether every rule of the specification has a test that names it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A part of the specification whose rules are all to be tested.
struct Part {
    file: &'static str,
    /// How its rules begin, and how many there are at least.
    prefixes: &'static [&'static str],
    rules: usize,
    /// Rules that no test can show by itself, and why.
    not_tested: &'static [(&'static str, &'static str)],
}

const PARTS: [Part; 6] = [
    Part {
        file: "docs/spec/websocket.md",
        prefixes: &["WS-", "WS-GAP-"],
        rules: 108 + 22,
        not_tested: &[],
    },
    Part {
        file: "docs/spec/lifecycle.md",
        prefixes: &["LIFE-", "EVT-"],
        rules: 109 + 21,
        not_tested: &[
            ("LIFE-6", "a rule of nginx's"),
            ("LIFE-7", "what is not there does not show"),
        ],
    },
    Part {
        file: "docs/spec/directives.md",
        prefixes: &["DIR-"],
        rules: 195,
        not_tested: &[("DIR-95", "a rule of nginx's, and DIR-100")],
    },
    Part { file: "docs/spec/publisher.md", prefixes: &["PUB-"], rules: 106, not_tested: &[] },
    Part { file: "docs/spec/statistics.md", prefixes: &["STAT-"], rules: 71, not_tested: &[] },
    Part {
        file: "docs/spec/subscriber.md",
        prefixes: &[
            "ADM-", "DEL-", "ES-", "GAP-", "HDR-", "JP-", "LP-", "MODE-", "OLD-", "PAD-", "PATH-",
            "PING-", "SUB-", "TPL-",
        ],
        rules: 200,
        not_tested: &[("HDR-1", "informative only")],
    },
];

/// The rules that a text names. With `ranges`, `WS-1..3` names three of them, otherwise none.
fn named(text: &str, prefix: &str, ranges: bool) -> BTreeSet<String> {
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let mut rules = BTreeSet::new();
    for (at, _) in text.match_indices(prefix) {
        // It may be the end of a longer prefix, as `GAP-` is of `WS-GAP-`.
        if text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '-') {
            continue;
        }
        let rest = &text[at + prefix.len()..];
        let first = digits(rest);
        let last = rest[first.len()..].strip_prefix("..").map(digits);
        let Ok(first) = first.parse::<u32>() else { continue };
        match last.and_then(|last| last.parse::<u32>().ok()) {
            None => rules.extend([format!("{prefix}{first}")]),
            Some(last) if ranges => rules.extend((first..=last).map(|n| format!("{prefix}{n}"))),
            Some(_) => {}
        }
    }
    rules
}

/// The rules that tests name. A range in the head of a file says what it is about, and shows nothing.
fn shown(tests: &str, prefix: &str) -> BTreeSet<String> {
    tests.lines().flat_map(|line| named(line, prefix, !line.starts_with("//!"))).collect()
}

/// The Rust files below `dir`.
fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a directory of the repository");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let inner = paths.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    inner.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file of the repository")
}

/// All tests: those of `t/`, and what is a test in `src/`.
fn tests(root: &Path) -> String {
    let ours = root.join(file!());
    let mut tests = String::new();
    for path in sources(&root.join("t")).iter().filter(|path| **path != ours) {
        tests += &read(path);
    }
    for path in sources(&root.join("src")) {
        let text = read(&path);
        let is_test =
            path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests");
        tests += match is_test {
            true => &text,
            false => text.split_once("#[cfg(test)]").map_or("", |(_, tests)| tests),
        };
    }
    tests
}

#[test]
fn every_rule_has_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = tests(root);
    for Part { file, prefixes, rules: at_least, not_tested } in PARTS {
        let text = read(&root.join(file));
        let of = |find: &dyn Fn(&str) -> BTreeSet<String>| -> BTreeSet<String> {
            prefixes.iter().flat_map(|prefix| find(prefix)).collect()
        };
        let rules = of(&|prefix| named(&text, prefix, true));
        assert!(rules.len() >= at_least, "{} rules in {file}", rules.len());
        let cited = of(&|prefix| shown(&tests, prefix));
        let excused: BTreeSet<_> = not_tested.iter().map(|(rule, _)| (*rule).to_owned()).collect();

        let untested: Vec<_> =
            rules.difference(&cited).filter(|rule| !excused.contains(*rule)).collect();
        assert!(untested.is_empty(), "no test cites {untested:?}");
        let unknown: Vec<_> = cited.union(&excused).filter(|rule| !rules.contains(*rule)).collect();
        assert!(unknown.is_empty(), "{file} has no {unknown:?}");
        let both: Vec<_> = excused.intersection(&cited).collect();
        assert!(both.is_empty(), "excused, and cited by a test: {both:?}");
    }
}
