//! The channels a request names, and how answers show them.

use nginx_sys::{ngx_cycle, ngx_int_t};
use smallvec::SmallVec;

use super::context::{INTERNAL_ERROR, RequestContext};
use super::request_error::RequestError;
use super::response;
use crate::ngx_ext::log::{Level, Quoted};
use crate::protocol::accept::{self, Representation};
use crate::protocol::channel_path::PathError;
use crate::protocol::statistics::{ChannelInfo, GroupHead};
use crate::store;

/// The counts of the store, with the id that answers show.
pub fn shown(id: &[u8], info: store::ChannelCounts) -> ChannelInfo<'_> {
    ChannelInfo {
        id,
        published: info.published,
        stored: info.stored,
        subscribers: info.subscribers,
    }
}

/// How a publisher's answer tells about channels (PUB-54..57).
pub fn representation(exchange: &RequestContext<'_>) -> Representation {
    accept::channels(exchange.request.header_lines("Accept"))
}

/// Answers with those of the channels that exist, or 404 (PUB-33, STAT-7..9).
pub fn find<'a>(
    exchange: &RequestContext<'_>,
    ids: impl IntoIterator<Item = &'a [u8]>,
    representation: Representation,
) -> ngx_int_t {
    let found: SmallVec<[_; 4]> =
        ids.into_iter().filter_map(|id| Some(shown(id, exchange.zone.channel_info(id)?))).collect();
    match found[..] {
        [] => response::empty(exchange.request, 404),
        _ => show(exchange, &found, representation),
    }
}

/// Answers with one channel alone or several as a group (PUB-50, STAT-29, STAT-30).
pub fn show(
    exchange: &RequestContext<'_>,
    found: &[ChannelInfo<'_>],
    Representation { format, content_type }: Representation,
) -> ngx_int_t {
    let mut body = Vec::new();
    match found {
        [] => return INTERNAL_ERROR,
        [one] => format.channel(one, &mut body),
        several => {
            let head = group_head(&exchange.zone.totals(exchange.zone.now()));
            format.group(&head, several.iter().copied(), &mut body);
        }
    }
    response::body(exchange.request, content_type, body)
}

/// What stands first in group and summary (STAT-42..45, STAT-56).
pub fn group_head(totals: &store::Totals) -> GroupHead<'static> {
    GroupHead {
        // SAFETY: the host name lives as long as the cycle that this worker serves.
        hostname: unsafe { (*ngx_cycle).hostname.as_bytes() },
        time: now(),
        channels: totals.channels,
        wildcard_channels: totals.wildcard_channels,
        uptime: totals.uptime,
    }
}

/// The current second, unix time.
pub fn now() -> u64 {
    u64::try_from(nginx_sys::ngx_time()).unwrap_or(0)
}

/// Whether an id is within `push_stream_max_channel_id_length` (PUB-30, DIR-172); says so in the
/// log if it is not.
pub fn check_length(exchange: &RequestContext<'_>, id: &[u8]) -> Result<(), RequestError> {
    match exchange.main.max_channel_id_length {
        Some(max) if id.len() as u64 > max => {
            exchange.request.log(
                Level::Warn,
                format_args!(
                    "channel id is larger than allowed {max}: {} bytes, {}",
                    id.len(),
                    Quoted(id)
                ),
            );
            Err(RequestError::IdTooLarge)
        }
        _ => Ok(()),
    }
}

/// Logs why a path names no channel (PUB-102).
pub fn log_path_error(exchange: &RequestContext<'_>, path: &[u8], error: PathError) {
    let what = match error {
        PathError::Empty => "no channel id provided",
        PathError::ControlCharacters => "channel id contains control characters",
    };
    exchange.request.log(Level::Warn, format_args!("{what}: {}", Quoted(path)));
}
