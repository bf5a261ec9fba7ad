//! Whether every rule of docs/spec/websocket.md is cited by a test.

use std::collections::BTreeSet;
use std::path::Path;

/// Rules that no test can show by itself.
const NOT_TESTED: &[(&str, &str)] = &[];

/// The rules that `text` names. A range, as in a module's heading, names all or none of its rules.
fn named(text: &str, ranges: bool) -> BTreeSet<String> {
    let mut rules = BTreeSet::new();
    for (at, _) in text.match_indices("WS-") {
        let rest = &text[at + 3..];
        let (kind, rest) = match rest.strip_prefix("GAP-") {
            Some(rest) => ("WS-GAP-", rest),
            None => ("WS-", rest),
        };
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
        let first = digits(rest);
        let last = rest[first.len()..].strip_prefix("..").map(digits);
        let Ok(first) = first.parse::<u32>() else { continue };
        match last.and_then(|last| last.parse::<u32>().ok()) {
            None => rules.extend([format!("{kind}{first}")]),
            Some(last) if ranges => rules.extend((first..=last).map(|n| format!("{kind}{n}"))),
            Some(_) => {}
        }
    }
    rules
}

/// The Rust files below `dir`.
fn sources(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a directory of the repository");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let inner = paths.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    inner.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

#[test]
fn every_rule_has_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &Path| std::fs::read_to_string(path).expect("a file of the repository");
    let rules = named(&read(&root.join("docs/spec/websocket.md")), true);
    assert!(rules.len() >= 108 + 22, "{} rules", rules.len());

    let mut cited = BTreeSet::new();
    for dir in ["t/websocket", "t/browser", "t/configuration"] {
        for path in sources(&root.join(dir)).iter().filter(|path| !path.ends_with("coverage.rs")) {
            cited.extend(named(&read(path), false));
        }
    }
    for path in sources(&root.join("src")) {
        let text = read(&path);
        let tests = match path.ends_with("tests.rs") {
            true => Some(text.as_str()),
            false => text.split_once("#[cfg(test)]").map(|(_, tests)| tests),
        };
        cited.extend(tests.map(|tests| named(tests, false)).unwrap_or_default());
    }
    let excused = NOT_TESTED.iter().map(|(rule, _)| (*rule).to_owned()).collect::<BTreeSet<_>>();
    let untested: Vec<_> =
        rules.difference(&cited).filter(|rule| !excused.contains(*rule)).collect();
    assert!(untested.is_empty(), "no test cites {untested:?}");
    let unknown: Vec<_> = cited.union(&excused).filter(|rule| !rules.contains(*rule)).collect();
    assert!(unknown.is_empty(), "the specification has no {unknown:?}");
    let both: Vec<_> = excused.intersection(&cited).collect();
    assert!(both.is_empty(), "excused, and cited by a test: {both:?}");
}
