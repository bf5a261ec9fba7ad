//! Where a directive stands, so that a check made after the whole configuration was read can
//! still name the line that is wrong (the checks of DIR-65..84 run late).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// File and line of a directive, printed as nginx prints them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLocation {
    pub file: Arc<str>,
    pub line: usize,
}

impl fmt::Display for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// The place of each directive of one level, by directive name.
#[derive(Clone, Debug, Default)]
pub struct SourceLocations(BTreeMap<&'static str, SourceLocation>);

impl SourceLocations {
    /// Whether `name` was read at this level (DIR-47).
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn insert(&mut self, name: &'static str, place: SourceLocation) {
        self.0.insert(name, place);
    }

    pub fn get(&self, name: &str) -> Option<&SourceLocation> {
        self.0.get(name)
    }

    /// Takes over the places of settings that this level does not set itself.
    pub fn inherit(&mut self, outer: &Self) {
        for (name, place) in &outer.0 {
            self.0.entry(name).or_insert_with(|| place.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inner_place_wins() {
        let place = |line| SourceLocation { file: "nginx.conf".into(), line };
        let mut inner = SourceLocations::default();
        let mut outer = SourceLocations::default();
        inner.insert("a", place(7));
        outer.insert("a", place(2));
        outer.insert("b", place(3));
        inner.inherit(&outer);
        assert_eq!(inner.get("a").unwrap().to_string(), "nginx.conf:7");
        assert_eq!(inner.get("b").unwrap().line, 3);
        assert!(!inner.contains("c"));
    }
}
