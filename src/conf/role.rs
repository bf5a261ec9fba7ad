//! What a location does (DIR-3..5, DIR-50, DIR-51).

/// The one role of a location; a second one is refused (DIR-52..54).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Statistics(StatisticsFormat),
    Publisher(PublisherMode),
    Subscriber(SubscriberMode),
}

impl Role {
    /// The directive that gives a location this role.
    pub fn directive(self) -> &'static str {
        match self {
            Role::Statistics(_) => "push_stream_channels_statistics",
            Role::Publisher(_) => "push_stream_publisher",
            Role::Subscriber(_) => "push_stream_subscriber",
        }
    }
}

/// Who chooses the format of the statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatisticsFormat {
    /// The client, with `Accept`.
    Negotiated,
    /// The configuration: Prometheus text.
    Prometheus,
}

/// Whether a publisher may also delete channels (PUB-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublisherMode {
    Normal,
    Admin,
}

impl PublisherMode {
    const NAMES: Names<Self, 2> =
        [("normal", PublisherMode::Normal), ("admin", PublisherMode::Admin)];
}

/// How messages reach the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriberMode {
    Streaming,
    Polling,
    LongPolling,
    EventSource,
    WebSocket,
}

impl SubscriberMode {
    const NAMES: Names<Self, 5> = [
        ("streaming", SubscriberMode::Streaming),
        ("polling", SubscriberMode::Polling),
        ("long-polling", SubscriberMode::LongPolling),
        ("eventsource", SubscriberMode::EventSource),
        ("websocket", SubscriberMode::WebSocket),
    ];

    /// The mode of this name, in directives and in `X-Nginx-PushStream-Mode`.
    pub fn named(name: &[u8]) -> Option<Self> {
        find(&Self::NAMES, name)
    }
}

/// What the values of an argument are called, in the order in which they are shown.
type Names<T, const N: usize> = [(&'static str, T); N];

/// The value of this name, whatever the case of its letters.
fn find<T: Copy>(names: &[(&str, T)], name: &[u8]) -> Option<T> {
    let known = names.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
    known.map(|(_, value)| *value)
}

fn list<T>(names: &[(&str, T)]) -> String {
    names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// A role directive with an argument it does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    #[error(
        "invalid push_stream_channels_statistics format value: {0}, \
         accepted values (prometheus)"
    )]
    Statistics(String),
    /// DIR-50.
    #[error(
        "invalid push_stream_publisher mode value: {0}, \
         accepted values ({names})",
        names = list(&PublisherMode::NAMES)
    )]
    Publisher(String),
    /// DIR-51.
    #[error(
        "invalid push_stream_subscriber mode value: {0}, \
         accepted values ({names})",
        names = list(&SubscriberMode::NAMES)
    )]
    Subscriber(String),
}

/// `push_stream_channels_statistics [prometheus]`
pub fn statistics(format: Option<&[u8]>) -> Result<Role, RoleError> {
    match format {
        None => Ok(Role::Statistics(StatisticsFormat::Negotiated)),
        Some(f) if f.eq_ignore_ascii_case(b"prometheus") => {
            Ok(Role::Statistics(StatisticsFormat::Prometheus))
        }
        Some(f) => Err(RoleError::Statistics(String::from_utf8_lossy(f).into_owned())),
    }
}

/// `push_stream_publisher [normal | admin]`
pub fn publisher(mode: Option<&[u8]>) -> Result<Role, RoleError> {
    let Some(name) = mode else { return Ok(Role::Publisher(PublisherMode::Normal)) };
    find(&PublisherMode::NAMES, name)
        .map(Role::Publisher)
        .ok_or_else(|| RoleError::Publisher(String::from_utf8_lossy(name).into_owned()))
}

/// `push_stream_subscriber [streaming | polling | long-polling | eventsource | websocket]`
pub fn subscriber(mode: Option<&[u8]>) -> Result<Role, RoleError> {
    let Some(name) = mode else { return Ok(Role::Subscriber(SubscriberMode::Streaming)) };
    SubscriberMode::named(name)
        .map(Role::Subscriber)
        .ok_or_else(|| RoleError::Subscriber(String::from_utf8_lossy(name).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_have_defaults_and_ignore_letter_case() {
        assert_eq!(publisher(None), Ok(Role::Publisher(PublisherMode::Normal)));
        assert_eq!(publisher(Some(b"ADMIN")), Ok(Role::Publisher(PublisherMode::Admin)));
        assert_eq!(subscriber(None), Ok(Role::Subscriber(SubscriberMode::Streaming)));
        assert_eq!(subscriber(Some(b"Streaming")), subscriber(None));
        assert_eq!(
            subscriber(Some(b"Long-Polling")),
            Ok(Role::Subscriber(SubscriberMode::LongPolling))
        );
    }

    #[test]
    fn statistics_have_an_optional_format() {
        assert_eq!(statistics(None), Ok(Role::Statistics(StatisticsFormat::Negotiated)));
        assert_eq!(
            statistics(Some(b"Prometheus")),
            Ok(Role::Statistics(StatisticsFormat::Prometheus))
        );
        assert_eq!(
            statistics(Some(b"xml")).unwrap_err().to_string(),
            "invalid push_stream_channels_statistics format value: xml, \
             accepted values (prometheus)"
        );
    }

    #[test]
    fn unknown_modes_are_named() {
        assert_eq!(
            publisher(Some(b"")).unwrap_err().to_string(),
            "invalid push_stream_publisher mode value: , \
             accepted values (normal, admin)"
        );
        assert_eq!(
            subscriber(Some(b"x")).unwrap_err().to_string(),
            "invalid push_stream_subscriber mode value: x, \
             accepted values (streaming, polling, long-polling, eventsource, websocket)"
        );
    }
}
