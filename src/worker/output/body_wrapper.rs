//! What stands around the messages of an answer: the location's templates, or a script.

use crate::protocol::jsonp;

/// Header and footer template, or a call of a function (LP-2, JP-3). A script has neither template
/// (the sane reading of JP-5): they are not made for it and would only break it.
#[derive(Debug, Default)]
pub enum BodyWrapper {
    #[default]
    Templates,
    Script(Box<Script>),
}

/// The kind of an answer to a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// Text of the location's default type.
    Default,
    Script,
}

/// A call whose arguments are being written.
#[derive(Debug)]
pub struct Script {
    callback: Box<[u8]>,
    /// A message stands in it already.
    has_message: bool,
}

impl BodyWrapper {
    /// For a request with this callback, if it has one.
    pub fn new(callback: Option<&[u8]>) -> BodyWrapper {
        match callback {
            None => BodyWrapper::Templates,
            Some(name) => {
                BodyWrapper::Script(Box::new(Script { callback: name.into(), has_message: false }))
            }
        }
    }

    pub fn media(&self) -> Media {
        match self {
            BodyWrapper::Templates => Media::Default,
            BodyWrapper::Script(_) => Media::Script,
        }
    }

    /// What comes before the first message; the header template belongs to the head.
    pub fn opening(&self) -> Vec<&[u8]> {
        match self {
            BodyWrapper::Templates => Vec::new(),
            BodyWrapper::Script(script) => vec![&script.callback, jsonp::OPEN],
        }
    }

    /// What comes before the next message, which is to follow.
    pub fn separator(&mut self) -> Option<&'static [u8]> {
        match self {
            BodyWrapper::Templates => None,
            BodyWrapper::Script(script) => {
                std::mem::replace(&mut script.has_message, true).then_some(jsonp::SEPARATOR)
            }
        }
    }

    /// What comes at the end.
    pub fn closing<'f>(&self, footer: &'f [u8]) -> &'f [u8] {
        match self {
            BodyWrapper::Templates => footer,
            BodyWrapper::Script(_) => jsonp::CLOSE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(mut envelope: BodyWrapper, messages: &[&str]) -> String {
        let mut out = envelope.opening().concat();
        for message in messages {
            out.extend_from_slice(envelope.separator().unwrap_or_default());
            out.extend_from_slice(message.as_bytes());
        }
        out.extend_from_slice(envelope.closing(b"FOOT"));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_script_is_a_call() {
        // JP-3, JP-5.
        let script = || BodyWrapper::new(Some(b"f"));
        assert_eq!(wrapped(script(), &["1"]), "f([1]);");
        assert_eq!(wrapped(script(), &["1", "2", "3"]), "f([1,2,3]);");
        assert_eq!(wrapped(script(), &[]), "f([]);");
    }

    #[test]
    fn templates_stand_for_themselves() {
        // LP-2, TPL-8.
        assert_eq!(wrapped(BodyWrapper::new(None), &["1", "2"]), "12FOOT");
    }
}
