//! A location with a role: its settings with defaults, checked (DIR-75..84).
//!
//! The settings as configured stay apart from what is derived here, so that a nested level never
//! inherits a derived value (DIR-64).

use std::time::Duration;

use super::error::CheckError;
use super::main::Main;
use super::padding::{Compile, Padding};
use super::role::{Role, SubscriberMode};
use super::settings::{ComplexValue, DirectOutput, EventIdSource, LocationSettings};
use super::templates::{TemplateRef, TemplateTable, Texts};
use super::websocket::WebSocket;
use crate::protocol::padding::Minimums;
use crate::store::JoinRules;

/// How much may wait behind the message being sent unless configured otherwise.
const DEFAULT_MAX_PENDING: usize = 1 << 20;

/// Everything a request in a location with a role needs to know.
pub struct Location {
    pub role: Role,
    pub channels_path: ComplexValue,
    pub store_messages: bool,
    pub channel_info_on_publish: bool,
    pub authorized_channels_only: bool,
    /// In the form of the location's mode, except for the frames of WebSocket; empty: none
    /// (DIR-126, DIR-129..132).
    pub header: Vec<u8>,
    pub message_template: TemplateRef,
    /// As the header (DIR-128, DIR-133).
    pub footer: Vec<u8>,
    /// The most wildcard channels one subscriber request may name (DIR-176).
    pub wildcard_max: Option<u64>,
    pub ping_interval: Option<Duration>,
    pub subscriber_ttl: Option<Duration>,
    /// How long a long poll waits; the subscriber ttl unless configured (DIR-30, DIR-63).
    pub longpolling_ttl: Option<Duration>,
    pub websocket: WebSocket,
    /// Unset: the request header `If-Modified-Since` counts (DIR-168).
    pub last_received_message_time: Option<ComplexValue>,
    /// Unset: the request header `If-None-Match` counts (DIR-169).
    pub last_received_message_tag: Option<ComplexValue>,
    /// Unset: the request header `Last-Event-Id` counts (DIR-170).
    pub last_event_id: Option<ComplexValue>,
    /// Unset: the request header `User-Agent` counts (DIR-171).
    pub user_agent: Option<ComplexValue>,
    /// To be asked through [`Location::padding_for`].
    pub(super) padding: Padding,
    pub allowed_origins: Option<ComplexValue>,
    /// Whether the events channel may be subscribed to here (DIR-193).
    pub allow_events_channel: bool,
    /// How many bytes may wait behind the message being sent to one subscriber.
    pub max_pending: usize,
    pub direct_output: DirectOutput,
    /// Whether the head of an answer says that messages asked for are gone.
    pub gap_report: bool,
    /// Whether an event says that messages were left out.
    pub gap_events: bool,
    /// How long an event stream's client is told to wait before it comes back.
    pub eventsource_retry: Option<Duration>,
    /// Whether every message of an event stream gets an id, not only those the publisher gave one.
    pub auto_event_id: bool,
}

impl Location {
    /// What the store is to ask of a subscriber here.
    pub fn join_rules(&self) -> JoinRules {
        JoinRules {
            authorized_only: self.authorized_channels_only,
            max_wildcards: self.wildcard_max,
            events: self.allow_events_channel,
        }
    }

    /// How long header and message are to be for a user agent, if any padding applies to it
    /// (DIR-156). Only streams are padded (DIR-157, PAD-5).
    pub fn padding_for(&self, agent: &[u8]) -> Option<Minimums> {
        use SubscriberMode::{EventSource, Streaming};
        match self.role {
            Role::Subscriber(Streaming | EventSource) => self.padding.of(agent),
            _ => None,
        }
    }

    /// Applies defaults and checks, in the order of DIR-76..85; the first failure stops.
    pub fn resolve(
        role: Role,
        configured: &LocationSettings,
        main: &Main,
        templates: &mut TemplateTable,
        compile: Compile<'_>,
    ) -> Result<Self, CheckError> {
        let settings = configured.clone();
        let not_zero = |value: Option<Duration>, name| match value {
            Some(Duration::ZERO) => Err(CheckError::Zero(name)),
            value => Ok(value),
        };
        let channels_path = settings.channels_path.ok_or(CheckError::ChannelsPathMissing)?;
        let ping_interval =
            not_zero(settings.ping_message_interval, "push_stream_ping_message_interval")?;
        let subscriber_ttl =
            not_zero(settings.subscriber_connection_ttl, "push_stream_subscriber_connection_ttl")?;
        let longpolling_ttl = not_zero(
            settings.longpolling_connection_ttl,
            "push_stream_longpolling_connection_ttl",
        )?;
        let texts = Texts::resolve(role, configured, templates)?;
        let wildcard_max = wildcard_max(settings.wildcard_channel_max_qtd, main)?;
        let max_pending = settings.subscriber_max_pending.unwrap_or(DEFAULT_MAX_PENDING);
        if max_pending == 0 {
            return Err(CheckError::Zero("push_stream_subscriber_max_pending"));
        }
        let padding = match (role, settings.padding_by_user_agent) {
            (Role::Subscriber(_), Some(value)) => Padding::compile(&value, compile)?,
            _ => Padding::default(),
        };

        let websocket = WebSocket::resolve(configured)?;

        Ok(Self {
            role,
            channels_path,
            store_messages: settings.store_messages.unwrap_or(false),
            channel_info_on_publish: settings.channel_info_on_publish.unwrap_or(true),
            authorized_channels_only: settings.authorized_channels_only.unwrap_or(false),
            header: texts.header,
            message_template: texts.message,
            footer: texts.footer,
            wildcard_max,
            ping_interval,
            subscriber_ttl,
            longpolling_ttl: longpolling_ttl.or(subscriber_ttl),
            websocket,
            last_received_message_time: settings.last_received_message_time,
            last_received_message_tag: settings.last_received_message_tag,
            last_event_id: settings.last_event_id,
            user_agent: settings.user_agent,
            padding,
            allowed_origins: settings.allowed_origins,
            allow_events_channel: settings.allow_connections_to_events_channel.unwrap_or(false),
            max_pending,
            direct_output: settings.direct_output.unwrap_or(DirectOutput::Auto),
            gap_report: settings.gap_report.unwrap_or(false),
            gap_events: settings.gap_events.unwrap_or(false),
            eventsource_retry: settings.eventsource_retry,
            auto_event_id: settings.event_ids == Some(EventIdSource::Auto),
        })
    }
}

/// The limit of DIR-176. It falls back to the main maximum, but only where wildcard channels
/// exist at all: a main maximum without a prefix limits nothing (the sane reading of DIR-83).
fn wildcard_max(configured: Option<u64>, main: &Main) -> Result<Option<u64>, CheckError> {
    let available = main.limits.max_wildcard_channels;
    let has_prefix = !main.limits.wildcard_prefix.is_empty();
    match (configured, available) {
        (None, available) => Ok(available.filter(|_| has_prefix)),
        (Some(0), _) => Err(CheckError::Zero("push_stream_wildcard_channel_max_qtd")),
        (Some(wanted), _) if !has_prefix => Err(CheckError::WildcardMaxWithoutPrefix(wanted)),
        (Some(wanted), Some(available)) if wanted > available => {
            Err(CheckError::WildcardMaxTooLarge { wanted, available })
        }
        (Some(wanted), _) => Ok(Some(wanted)),
    }
}

#[cfg(all(test, not(feature = "nginx")))]
impl Location {
    /// A subscriber's location with these settings and a channels path, for tests.
    pub fn of_subscriber(
        mode: SubscriberMode,
        settings: &LocationSettings,
        main: &Main,
    ) -> Location {
        let path = Some(b"a".to_vec());
        let settings = LocationSettings { channels_path: path, ..settings.clone() };
        let (role, templates) = (Role::Subscriber(mode), &mut TemplateTable::default());
        let compile = &mut |source: &[u8]| Ok(super::padding::Pattern(source.to_vec()));
        Location::resolve(role, &settings, main, templates, compile).unwrap()
    }
}

#[cfg(all(test, not(feature = "nginx")))]
mod tests {
    use super::*;
    use crate::conf::padding::Pattern;
    use crate::conf::role::{PublisherMode, StatisticsFormat};
    use crate::conf::settings::MainSettings;

    const STREAMING: Role = Role::Subscriber(SubscriberMode::Streaming);

    fn with_path() -> LocationSettings {
        LocationSettings { channels_path: Some(b"a".to_vec()), ..Default::default() }
    }

    fn resolve(settings: &LocationSettings, main: MainSettings) -> Result<Location, CheckError> {
        let main = Main::resolve(&main).unwrap();
        in_role(STREAMING, settings, &main)
    }

    fn in_role(
        role: Role,
        settings: &LocationSettings,
        main: &Main,
    ) -> Result<Location, CheckError> {
        let compile = &mut |source: &[u8]| Ok(Pattern(source.to_vec()));
        Location::resolve(role, settings, main, &mut TemplateTable::default(), compile)
    }

    fn subscriber(mode: SubscriberMode, settings: &LocationSettings) -> Location {
        let main = Main::resolve(&MainSettings::default()).unwrap();
        in_role(Role::Subscriber(mode), settings, &main).unwrap()
    }

    fn text_of(settings: &LocationSettings, main: MainSettings) -> String {
        resolve(settings, main).err().expect("the check must fail").to_string()
    }

    #[test]
    fn defaults_are_those_of_the_documentation() {
        let location = resolve(&with_path(), MainSettings::default()).unwrap();
        assert!(!location.store_messages && location.channel_info_on_publish);
        assert!(!location.authorized_channels_only);
        assert_eq!(location.message_template.template.source(), b"~text~");
        assert_eq!(location.wildcard_max, None);
        assert_eq!((location.ping_interval, location.subscriber_ttl), (None, None));
        assert_eq!(location.max_pending, 1 << 20);
        assert_eq!(location.direct_output, DirectOutput::Auto);
        assert!(!location.gap_report && !location.gap_events && !location.auto_event_id);
        assert_eq!(location.eventsource_retry, None);
    }

    #[test]
    fn a_role_needs_a_channels_path() {
        assert_eq!(
            text_of(&LocationSettings::default(), MainSettings::default()),
            "push_stream_channels_path must be set."
        );
        let empty = LocationSettings { channels_path: Some(Vec::new()), ..Default::default() };
        assert!(resolve(&empty, MainSettings::default()).is_ok());
    }

    #[test]
    fn zero_times_and_a_blank_template_are_refused() {
        let zero = Some(Duration::ZERO);
        let ping = LocationSettings { ping_message_interval: zero, ..with_path() };
        assert_eq!(
            text_of(&ping, MainSettings::default()),
            "push_stream_ping_message_interval cannot be zero."
        );
        let ttl = LocationSettings { subscriber_connection_ttl: zero, ..with_path() };
        assert_eq!(
            text_of(&ttl, MainSettings::default()),
            "push_stream_subscriber_connection_ttl cannot be zero."
        );
        let blank = LocationSettings { message_template: Some(Vec::new()), ..with_path() };
        assert_eq!(
            text_of(&blank, MainSettings::default()),
            "push_stream_message_template cannot be blank."
        );
        let pending = LocationSettings { subscriber_max_pending: Some(0), ..with_path() };
        assert_eq!(
            text_of(&pending, MainSettings::default()),
            "push_stream_subscriber_max_pending cannot be zero."
        );
    }

    #[test]
    fn the_wildcard_limit_needs_a_prefix_and_room() {
        let limited = LocationSettings { wildcard_channel_max_qtd: Some(3), ..with_path() };
        let main = |prefix: &str, max| MainSettings {
            wildcard_channel_prefix: Some(prefix.into()),
            max_number_of_wildcard_channels: max,
            ..Default::default()
        };
        let wildcard_max = |settings: &LocationSettings, main| {
            resolve(settings, main).map(|location| location.wildcard_max)
        };
        assert_eq!(
            wildcard_max(&limited, main("", None)),
            Err(CheckError::WildcardMaxWithoutPrefix(3))
        );
        assert_eq!(
            wildcard_max(&limited, main("w", Some(2))),
            Err(CheckError::WildcardMaxTooLarge { wanted: 3, available: 2 })
        );
        assert_eq!(wildcard_max(&limited, main("w", Some(3))), Ok(Some(3)));
        assert_eq!(wildcard_max(&limited, main("w", None)), Ok(Some(3)));
        assert_eq!(wildcard_max(&with_path(), main("w", Some(2))), Ok(Some(2)));
        assert_eq!(wildcard_max(&with_path(), main("", Some(2))), Ok(None));
        let zero = LocationSettings { wildcard_channel_max_qtd: Some(0), ..with_path() };
        assert_eq!(
            wildcard_max(&zero, main("w", None)),
            Err(CheckError::Zero("push_stream_wildcard_channel_max_qtd"))
        );
    }

    #[test]
    fn checks_hold_for_every_role() {
        let blank = LocationSettings { message_template: Some(Vec::new()), ..with_path() };
        let main = Main::resolve(&MainSettings::default()).unwrap();
        for role in [
            Role::Statistics(StatisticsFormat::Negotiated),
            Role::Publisher(PublisherMode::Admin),
            STREAMING,
        ] {
            let result = in_role(role, &blank, &main);
            assert_eq!(result.err(), Some(CheckError::BlankMessageTemplate));
        }
    }

    #[test]
    fn a_long_poll_lasts_as_long_as_other_subscribers_unless_configured() {
        // DIR-30, DIR-63: resolved once, after all levels are merged
        let seconds = |n| Some(Duration::from_secs(n));
        let server =
            LocationSettings { subscriber_connection_ttl: seconds(3), ..Default::default() };
        let mut location =
            LocationSettings { subscriber_connection_ttl: seconds(1), ..with_path() };
        location.inherit(&server);
        let merged = subscriber(SubscriberMode::LongPolling, &location);
        assert_eq!((merged.subscriber_ttl, merged.longpolling_ttl), (seconds(1), seconds(1)));
        let own = LocationSettings { longpolling_connection_ttl: seconds(9), ..location };
        let own = subscriber(SubscriberMode::LongPolling, &own);
        assert_eq!((own.subscriber_ttl, own.longpolling_ttl), (seconds(1), seconds(9)));
    }

    #[test]
    fn padding_is_for_streams_and_checked_in_subscriber_locations() {
        // DIR-85, DIR-157
        use SubscriberMode::{EventSource, LongPolling, Polling, Streaming, WebSocket};
        let padded =
            LocationSettings { padding_by_user_agent: Some(b"a,1,2".to_vec()), ..with_path() };
        let minimums = Some(Minimums { header: 1, message: 2 });
        for (mode, expected) in [
            (Streaming, minimums),
            (EventSource, minimums),
            (Polling, None),
            (LongPolling, None),
            (WebSocket, None),
        ] {
            let location = subscriber(mode, &padded);
            assert_eq!(location.padding_for(b"a"), expected);
            assert_eq!(location.padding_for(b"b"), None);
            assert_eq!(location.padding.largest(), 2);
        }
        let wrong = LocationSettings { padding_by_user_agent: Some(b"a".to_vec()), ..with_path() };
        let error = resolve(&wrong, MainSettings::default()).err().expect("the check must fail");
        assert_eq!(error.directive(), Some("push_stream_padding_by_user_agent"));
        assert!(error.consequence().is_some());
        let main = Main::resolve(&MainSettings::default()).unwrap();
        for role in
            [Role::Statistics(StatisticsFormat::Negotiated), Role::Publisher(PublisherMode::Admin)]
        {
            assert!(in_role(role, &wrong, &main).is_ok());
        }
    }
}
