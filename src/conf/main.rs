//! The `http` level with its defaults, checked (DIR-65..74).

use std::time::Duration;

use super::error::CheckError;
use super::settings::{MainSettings, MemoryFull};
use crate::protocol::channel_path::{self, PathError};
use crate::store::Limits;

/// Main settings a server that serves push stream requests works with.
#[derive(Clone, Debug)]
pub struct Main {
    /// What the store must respect.
    pub limits: Limits,
    /// DIR-7.
    pub channel_deleted_text: Vec<u8>,
    /// DIR-9.
    pub ping_text: Vec<u8>,
    /// DIR-14: bytes of the id after decoding, without the backtrack suffix (DIR-172).
    pub max_channel_id_length: Option<u64>,
    /// DIR-145: whether a long poll that times out is answered with a body.
    pub timeout_with_body: bool,
    /// DIR-18; empty: no events channel.
    pub events_channel_id: Vec<u8>,
    /// How long the workers of this configuration go on with their subscribers after a reload; zero: they
    /// end them at once (LIFE-94).
    pub reload_drain: Duration,
    /// What happens when the zone is full.
    pub memory_full: MemoryFull,
    /// The largest minimum of all padding groups of this configuration, known once its last
    /// location was read (DIR-105, DIR-158).
    pub largest_padding: usize,
}

impl Main {
    /// Applies defaults and checks, in the order of DIR-67..72, then DIR-187; the first failure stops.
    pub fn resolve(settings: &MainSettings) -> Result<Self, CheckError> {
        let not_zero = |value: Option<u64>, name| match value {
            Some(0) => Err(CheckError::Zero(name)),
            value => Ok(value),
        };
        let max_channels =
            not_zero(settings.max_number_of_channels, "push_stream_max_number_of_channels")?;
        let max_wildcard_channels = not_zero(
            settings.max_number_of_wildcard_channels,
            "push_stream_max_number_of_wildcard_channels",
        )?;
        let message_ttl = not_zero(settings.message_ttl, "push_stream_message_ttl")?;
        let max_subscribers = not_zero(
            settings.max_subscribers_per_channel,
            "push_stream_max_subscribers_per_channel",
        )?;
        let max_stored = not_zero(
            settings.max_messages_stored_per_channel,
            "push_stream_max_messages_stored_per_channel",
        )?;
        let max_channel_id_length =
            not_zero(settings.max_channel_id_length, "push_stream_max_channel_id_length")?;
        let events_channel_id = settings.events_channel_id.clone().unwrap_or_default();
        check_events_channel(&events_channel_id, max_channel_id_length)?;

        Ok(Self {
            limits: Limits {
                max_channels,
                max_wildcard_channels,
                max_subscribers,
                max_stored,
                message_ttl: message_ttl.unwrap_or(30 * 60),
                inactivity: settings.channel_inactivity_time.unwrap_or(30),
                wildcard_prefix: settings.wildcard_channel_prefix.clone().unwrap_or_default(),
            },
            channel_deleted_text: settings
                .channel_deleted_message_text
                .clone()
                .unwrap_or_else(|| b"Channel deleted".to_vec()),
            ping_text: settings.ping_message_text.clone().unwrap_or_else(|| b" ".to_vec()),
            max_channel_id_length,
            timeout_with_body: settings.timeout_with_body.unwrap_or(false),
            events_channel_id,
            reload_drain: settings.reload_drain.unwrap_or_default(),
            memory_full: settings.memory_full.unwrap_or_default(),
            largest_padding: 0,
        })
    }
}

/// Whether a subscriber could ask for this id; an empty one means that there is no events channel
/// (the sane reading of DIR-187).
fn check_events_channel(id: &[u8], max_len: Option<u64>) -> Result<(), CheckError> {
    let items = channel_path::parse(id);
    let reason = match items.as_deref() {
        _ if id.is_empty() => return Ok(()),
        Err(PathError::ControlCharacters) => "it has control characters",
        _ if id.contains(&b'/') => "it has a slash",
        Ok([item]) if item.id.len() < id.len() => "it ends like a backtrack",
        Ok([item]) if item.is_reserved() => "ALL and ids with an asterisk are for statistics",
        Ok([_]) if max_len.is_some_and(|max| id.len() as u64 > max) => {
            "it is longer than push_stream_max_channel_id_length"
        }
        Ok([_]) => return Ok(()),
        _ => "it names no channel",
    };
    Err(CheckError::EventsChannelId { id: String::from_utf8_lossy(id).into_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_documentation() {
        let main = Main::resolve(&MainSettings::default()).unwrap();
        assert_eq!(main.channel_deleted_text, b"Channel deleted");
        assert_eq!(main.ping_text, b" ");
        assert_eq!(main.max_channel_id_length, None);
        assert_eq!(main.limits.message_ttl, 1800);
        assert_eq!(main.limits.inactivity, 30);
        assert_eq!(main.limits.max_channels, None);
        assert_eq!(main.reload_drain, Duration::ZERO);
        assert_eq!(main.memory_full, MemoryFull::Refuse);
        assert!(main.limits.wildcard_prefix.is_empty());
    }

    #[test]
    fn zero_is_refused_where_it_would_mean_nothing() {
        type Set = fn(&mut MainSettings);
        let cases: [(Set, &str); 6] = [
            (|s| s.max_number_of_channels = Some(0), "push_stream_max_number_of_channels"),
            (
                |s| s.max_number_of_wildcard_channels = Some(0),
                "push_stream_max_number_of_wildcard_channels",
            ),
            (|s| s.message_ttl = Some(0), "push_stream_message_ttl"),
            (
                |s| s.max_subscribers_per_channel = Some(0),
                "push_stream_max_subscribers_per_channel",
            ),
            (
                |s| s.max_messages_stored_per_channel = Some(0),
                "push_stream_max_messages_stored_per_channel",
            ),
            (|s| s.max_channel_id_length = Some(0), "push_stream_max_channel_id_length"),
        ];
        for (set, name) in cases {
            let mut settings = MainSettings::default();
            set(&mut settings);
            let error = Main::resolve(&settings).unwrap_err();
            assert_eq!(error.to_string(), format!("{name} cannot be zero."));
            assert_eq!(error.directive(), Some(name));
        }
    }

    #[test]
    fn zero_inactivity_and_empty_texts_are_fine() {
        let settings = MainSettings {
            channel_inactivity_time: Some(0),
            ping_message_text: Some(Vec::new()),
            channel_deleted_message_text: Some(Vec::new()),
            wildcard_channel_prefix: Some(Vec::new()),
            ..Default::default()
        };
        let main = Main::resolve(&settings).unwrap();
        assert_eq!(main.limits.inactivity, 0);
        assert!(main.ping_text.is_empty() && main.channel_deleted_text.is_empty());
    }

    #[test]
    fn the_events_channel_can_be_asked_for() {
        // DIR-187, DIR-74
        let resolve = |id: &str, max| {
            Main::resolve(&MainSettings {
                events_channel_id: Some(id.into()),
                max_channel_id_length: max,
                ..Default::default()
            })
        };
        for id in ["", "events", "é", "ALLE", "a.b", ".."] {
            assert_eq!(resolve(id, Some(6)).unwrap().events_channel_id, id.as_bytes());
        }
        for (id, part) in [
            ("ALL", "ALL and ids with an asterisk"),
            ("ev*", "ALL and ids with an asterisk"),
            ("a/b", "slash"),
            ("/a", "slash"),
            ("/", "slash"),
            ("a\n", "control characters"),
            ("a\x7f", "control characters"),
            ("a.b3", "backtrack"),
            (".b3", "no channel"),
            ("sevenby", "push_stream_max_channel_id_length"),
        ] {
            let error = resolve(id, Some(6)).unwrap_err();
            assert_eq!(error.directive(), Some("push_stream_events_channel_id"));
            assert!(error.to_string().contains(part), "{error} instead of {part}");
        }
    }
}
