//! What can be wrong with a configuration, in the words the operator reads.

use super::header_file::HeaderFileError;
use super::role::{Role, RoleError};
use super::value::ValueError;
use crate::protocol::padding::PaddingError;

/// One directive cannot be taken as written; reported with its own file and line.
#[derive(Debug, thiserror::Error)]
pub enum DirectiveError {
    /// DIR-47, DIR-52, DIR-53.
    #[error("\"{0}\" directive is duplicate")]
    Duplicate(&'static str),
    /// DIR-52, DIR-53.
    #[error(
        "\"{second}\" directive is duplicate, the location has \"{first}\" already: a location has \
         one role"
    )]
    SecondRole { second: &'static str, first: &'static str },
    /// DIR-86.
    #[error(
        "\"push_stream_header_template_file\" directive is duplicate or template set by \
         'push_stream_header_template'"
    )]
    DuplicateHeader,
    /// DIR-43.
    #[error("invalid value \"{value}\" in \"{name}\" directive, {}", ValueError::Flag)]
    Flag { name: &'static str, value: String },
    /// DIR-44.
    #[error("\"{name}\" directive invalid number \"{value}\", {}", ValueError::Number)]
    Number { name: &'static str, value: String },
    /// DIR-45, DIR-46, DIR-90.
    #[error("\"{name}\" directive invalid value \"{value}\", {expected}")]
    Value { name: &'static str, value: String, expected: ValueError },
    /// DIR-89.
    #[error(
        "The push_stream_shared_memory_size value must be at least {minimum_kib}KiB, \
         \"{value}\" is too small"
    )]
    ZoneTooSmall { minimum_kib: usize, value: String },
    #[error(transparent)]
    Role(#[from] RoleError),
    #[error(transparent)]
    HeaderFile(#[from] HeaderFileError),
}

impl DirectiveError {
    /// Whether the line begins with the module's name. What nginx says of its own directives does not.
    pub fn names_module(&self) -> bool {
        matches!(self, Self::Role(_) | Self::HeaderFile(_))
    }

    /// The refusal of a role directive in a location that has this role.
    pub fn second_role(second: &'static str, first: Role) -> Self {
        match first.directive() {
            first if first == second => Self::Duplicate(second),
            first => Self::SecondRole { second, first },
        }
    }

    /// The refusal of `value` as the argument of `name`.
    pub fn value(name: &'static str, value: &[u8], expected: ValueError) -> Self {
        let value = String::from_utf8_lossy(value).into_owned();
        match expected {
            ValueError::Flag => Self::Flag { name, value },
            ValueError::Number => Self::Number { name, value },
            expected => Self::Value { name, value, expected },
        }
    }
}

/// Why a directive was not taken.
#[cfg(feature = "nginx")]
pub(super) enum DirectiveFailure {
    /// To be logged with file and line.
    Explained(DirectiveError),
    /// nginx has logged the reason.
    Reported,
}

#[cfg(feature = "nginx")]
impl<E: Into<DirectiveError>> From<E> for DirectiveFailure {
    fn from(error: E) -> Self {
        Self::Explained(error.into())
    }
}

/// The settings contradict each other or the use made of them (DIR-65..84).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// DIR-66, LIFE-1.
    #[error(
        "push_stream_shared_memory_size must be set. (in the http block, \
         such as \"push_stream_shared_memory_size 32m;\")"
    )]
    ZoneMissing,
    /// DIR-67..72, DIR-77, DIR-78, DIR-81.
    #[error("{0} cannot be zero.")]
    Zero(&'static str),
    /// DIR-187.
    #[error(
        "push_stream_events_channel_id \"{id}\" cannot be requested as a \
         channel id: {reason}"
    )]
    EventsChannelId { id: String, reason: &'static str },
    /// DIR-76.
    #[error("push_stream_channels_path must be set.")]
    ChannelsPathMissing,
    /// DIR-80.
    #[error("push_stream_message_template cannot be blank.")]
    BlankMessageTemplate,
    /// DIR-82.
    #[error(
        "cannot set wildcard channel max qtd if \
         push_stream_wildcard_channel_prefix is not set or blank. \
         (push_stream_wildcard_channel_max_qtd is {0})"
    )]
    WildcardMaxWithoutPrefix(u64),
    /// DIR-84.
    #[error(
        "max number of wildcard channels cannot be smaller than value in \
         push_stream_wildcard_channel_max_qtd. \
         (push_stream_max_number_of_wildcard_channels is {available}, \
         push_stream_wildcard_channel_max_qtd is {wanted})"
    )]
    WildcardMaxTooLarge { wanted: u64, available: u64 },
    /// DIR-151, DIR-152, DIR-154.
    #[error(
        "{0} (push_stream_padding_by_user_agent takes groups of \
         regex,header_min,message_min joined by \":\")"
    )]
    Padding(#[from] PaddingError),
    /// DIR-153.
    #[error("unable to compile agent pattern {pattern} ({reason})")]
    AgentPattern { pattern: String, reason: String },
}

impl CheckError {
    /// The directive to blame, if it was written at all.
    pub fn directive(&self) -> Option<&'static str> {
        match self {
            Self::ZoneMissing | Self::ChannelsPathMissing => None,
            Self::Zero(name) => Some(name),
            Self::EventsChannelId { .. } => Some("push_stream_events_channel_id"),
            Self::BlankMessageTemplate => Some("push_stream_message_template"),
            Self::WildcardMaxWithoutPrefix(_) | Self::WildcardMaxTooLarge { .. } => {
                Some("push_stream_wildcard_channel_max_qtd")
            }
            Self::Padding(_) | Self::AgentPattern { .. } => {
                Some("push_stream_padding_by_user_agent")
            }
        }
    }

    /// What follows in a line of its own (DIR-151, DIR-152).
    pub fn consequence(&self) -> Option<&'static str> {
        match self {
            Self::Padding(_) | Self::AgentPattern { .. } => {
                Some("unable to parse paddings by user agent")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_name_directive_value_and_what_is_allowed() {
        let flag = DirectiveError::value("push_stream_store_messages", b"yes", ValueError::Flag);
        assert_eq!(
            flag.to_string(),
            "invalid value \"yes\" in \"push_stream_store_messages\" directive, \
             it must be \"on\" or \"off\""
        );
        let time = DirectiveError::value("push_stream_message_ttl", b"5ms", ValueError::Seconds);
        assert!(
            time.to_string().starts_with(
                "\"push_stream_message_ttl\" directive invalid value \"5ms\", it must"
            )
        );
        let small = DirectiveError::ZoneTooSmall { minimum_kib: 128, value: "100k".into() };
        assert!(small.to_string().starts_with(
            "The push_stream_shared_memory_size value must be at least 128KiB, \"100k\""
        ));
    }
}
