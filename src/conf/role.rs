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

/// How messages reach the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriberMode {
    Streaming,
    Polling,
    LongPolling,
    EventSource,
    WebSocket,
}

/// A role directive with an argument it does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    #[error(
        "push stream module: invalid push_stream_channels_statistics format value: {0}, \
         accepted values (prometheus)"
    )]
    Statistics(String),
    /// DIR-50.
    #[error(
        "push stream module: invalid push_stream_publisher mode value: {0}, \
         accepted values (normal, admin)"
    )]
    Publisher(String),
    /// DIR-51.
    #[error(
        "push stream module: invalid push_stream_subscriber mode value: {0}, \
         accepted values (streaming, polling, long-polling, eventsource, websocket)"
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
    match mode {
        None => Ok(Role::Publisher(PublisherMode::Normal)),
        Some(m) if m.eq_ignore_ascii_case(b"normal") => Ok(Role::Publisher(PublisherMode::Normal)),
        Some(m) if m.eq_ignore_ascii_case(b"admin") => Ok(Role::Publisher(PublisherMode::Admin)),
        Some(m) => Err(RoleError::Publisher(String::from_utf8_lossy(m).into_owned())),
    }
}

/// `push_stream_subscriber [streaming | polling | long-polling | eventsource | websocket]`
pub fn subscriber(mode: Option<&[u8]>) -> Result<Role, RoleError> {
    const MODES: [(&[u8], SubscriberMode); 5] = [
        (b"streaming", SubscriberMode::Streaming),
        (b"polling", SubscriberMode::Polling),
        (b"long-polling", SubscriberMode::LongPolling),
        (b"eventsource", SubscriberMode::EventSource),
        (b"websocket", SubscriberMode::WebSocket),
    ];
    let Some(value) = mode else { return Ok(Role::Subscriber(SubscriberMode::Streaming)) };
    let known = MODES.iter().find(|(name, _)| value.eq_ignore_ascii_case(name));
    known
        .map(|(_, mode)| Role::Subscriber(*mode))
        .ok_or_else(|| RoleError::Subscriber(String::from_utf8_lossy(value).into_owned()))
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
            "push stream module: invalid push_stream_channels_statistics format value: xml, \
             accepted values (prometheus)"
        );
    }

    #[test]
    fn unknown_modes_are_named() {
        assert_eq!(
            publisher(Some(b"")).unwrap_err().to_string(),
            "push stream module: invalid push_stream_publisher mode value: , \
             accepted values (normal, admin)"
        );
        assert_eq!(subscriber(Some(b"x")), Err(RoleError::Subscriber("x".into())));
    }
}
