//! Answers as a script that calls a function with the messages (JP rules).

use super::percent;

/// What follows the name (JP-3).
pub const OPEN: &[u8] = b"([";
/// What stands between two messages.
pub const SEPARATOR: &[u8] = b",";
/// What ends the script.
pub const CLOSE: &[u8] = b"]);";
/// Its media type (JP-6).
pub const CONTENT_TYPE: &str = "application/javascript";

/// A callback that is not the name of something in a script (JP-7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Callback is not a JavaScript name.")]
pub struct BadName;

/// The callback's name in the query of a request; `None` if it has none, or an empty one (JP-2, JP-8).
///
/// A name consists of letters, digits, `_`, `$`, `.`, `[` and `]` after decoding: none of them can end
/// the name and begin a statement.
pub fn callback(query: &[u8]) -> Result<Option<Vec<u8>>, BadName> {
    let Some(value) = argument(query) else { return Ok(None) };
    let name = percent::decode(value);
    match name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_$.[]".contains(byte)) {
        true => Ok((!name.is_empty()).then_some(name)),
        false => Err(BadName),
    }
}

/// The first argument of this name in any letter case.
fn argument(query: &[u8]) -> Option<&[u8]> {
    const NAME: &[u8] = b"callback=";
    query.split(|&byte| byte == b'&').find_map(|argument| {
        let (name, value) = argument.split_at_checked(NAME.len())?;
        name.eq_ignore_ascii_case(NAME).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(query: &str) -> Result<Option<String>, BadName> {
        let found = callback(query.as_bytes())?;
        Ok(found.map(|name| String::from_utf8(name).unwrap()))
    }

    #[test]
    fn the_first_argument_counts() {
        // JP-2.
        for query in [
            "callback=f",
            "CallBack=f",
            "a=b&callback=f",
            "&callback=f",
            "callback=f&callback=g",
            "xcallback=g&callback=f",
            "callback&callback=f",
            "callback=%66",
        ] {
            assert_eq!(name(query), Ok(Some("f".into())), "{query}");
        }
        for query in ["", "callback", "callbac=f", "a=callback=f", "xcallback=f", "callback%3Df"] {
            assert_eq!(name(query), Ok(None), "{query}");
        }
    }

    #[test]
    fn an_empty_name_is_none() {
        // JP-8.
        assert_eq!(name("callback="), Ok(None));
        assert_eq!(name("callback=&callback=f"), Ok(None));
    }

    #[test]
    fn names() {
        // JP-7.
        for good in ["f", "PushStreamManager[0].wrapper.onmessage", "$.cb_1", "jQuery1_2"] {
            assert_eq!(name(&format!("callback={good}")), Ok(Some(good.into())));
        }
        assert_eq!(name("callback=a%5B0%5D"), Ok(Some("a[0]".into())));
        for bad in
            ["alert(1)//%0d%0a", "a%0ab", "a;b", "a%20b", "a%00", "<script>", "a'", "%C3%A9", "a/*"]
        {
            assert_eq!(name(&format!("callback={bad}")), Err(BadName), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_is_a_name(query: Vec<u8>) {
            if let Ok(Some(name)) = callback(&[b"callback=", &query[..]].concat()) {
                prop_assert!(!name.is_empty());
                let safe = |b: &u8| b.is_ascii_alphanumeric() || b"_$.[]".contains(b);
                prop_assert!(name.iter().all(safe));
            }
        }
    }
}
