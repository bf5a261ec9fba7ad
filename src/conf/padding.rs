//! `push_stream_padding_by_user_agent`: which padding a client gets (DIR-148..160).

use super::error::CheckError;
use crate::protocol::padding::{Minimums, parse};

/// A regular expression that is looked for in the user agent.
#[cfg(feature = "nginx")]
pub use crate::ngx_ext::regex::Regex as Pattern;
#[cfg(not(feature = "nginx"))]
pub use plain::Pattern;

/// Makes a pattern of a regular expression; the error is the reason why there is none.
pub type Compile<'c> = &'c mut dyn FnMut(&[u8]) -> Result<Pattern, String>;

/// The groups of one location, in the order in which they apply.
#[derive(Debug, Default)]
pub struct Padding(Vec<Group>);

#[derive(Debug)]
struct Group {
    /// As written.
    agent: Vec<u8>,
    pattern: Pattern,
    minimums: Minimums,
}

impl Padding {
    /// Parses the directive's value and compiles its expressions (DIR-151..154).
    pub fn compile(value: &[u8], compile: Compile<'_>) -> Result<Self, CheckError> {
        let groups = parse(value)?.into_iter().map(|group| {
            let pattern = compile(group.agent).map_err(|reason| CheckError::AgentPattern {
                pattern: String::from_utf8_lossy(group.agent).into_owned(),
                reason,
            })?;
            Ok(Group { agent: group.agent.to_vec(), pattern, minimums: group.minimums })
        });
        groups.collect::<Result<_, _>>().map(Self)
    }

    /// The minimums of the first group whose expression is found in `agent`; an empty user agent
    /// gets no padding (DIR-156).
    pub fn of(&self, agent: &[u8]) -> Option<Minimums> {
        if agent.is_empty() {
            return None;
        }
        self.0.iter().find(|group| group.pattern.is_match(agent)).map(|group| group.minimums)
    }

    /// The largest minimum of all groups; 0: there is none (DIR-158).
    pub fn largest(&self) -> usize {
        self.0
            .iter()
            .map(|group| group.minimums.header.max(group.minimums.message))
            .max()
            .unwrap_or(0)
    }

    /// Each group for the log (DIR-155).
    pub fn announcements(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|group| {
            format!(
                "padding detected {}, header_min_len {}, message_min_len {}",
                String::from_utf8_lossy(&group.agent),
                group.minimums.header,
                group.minimums.message
            )
        })
    }
}

#[cfg(not(feature = "nginx"))]
mod plain {
    /// Without nginx there are no regular expressions: the text as written.
    #[derive(Debug)]
    pub struct Pattern(pub Vec<u8>);

    impl Pattern {
        pub fn is_match(&self, text: &[u8]) -> bool {
            memchr::memmem::find(text, &self.0).is_some()
        }
    }
}

#[cfg(all(test, not(feature = "nginx")))]
mod tests {
    use super::*;

    fn padding(value: &str) -> Result<Padding, CheckError> {
        Padding::compile(value.as_bytes(), &mut |source| match source {
            b"(" => Err("no end".into()),
            source => Ok(Pattern(source.to_vec())),
        })
    }

    #[test]
    fn the_first_group_that_is_found_applies() {
        // DIR-156, DIR-158
        let padding = padding("MSIE,10,20:IE,3,400:Mozilla,0,0").unwrap();
        let of = |agent: &str| padding.of(agent.as_bytes()).map(|m| (m.header, m.message));
        assert_eq!(of("Mozilla MSIE 6"), Some((10, 20)));
        assert_eq!(of("IE"), Some((3, 400)));
        assert_eq!(of("Mozilla"), Some((0, 0)));
        assert_eq!(of("msie"), None);
        assert_eq!(of(""), None);
        assert_eq!(padding.largest(), 400);
        assert_eq!(Padding::default().largest(), 0);
        assert_eq!(
            padding.announcements().next().unwrap(),
            "padding detected MSIE, header_min_len 10, message_min_len 20"
        );
    }

    #[test]
    fn what_does_not_compile_is_named() {
        // DIR-153
        assert_eq!(
            padding("a,1,2:(,1,2").unwrap_err(),
            CheckError::AgentPattern { pattern: "(".into(), reason: "no end".into() }
        );
    }
}
