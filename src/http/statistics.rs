//! A statistics location: the summary, every channel, those of a prefix, some by name, or metrics.

use nginx_sys::{NGX_HTTP_GET, NGX_HTTP_HEAD, ngx_int_t};
use smallvec::SmallVec;

use super::context::{INTERNAL_ERROR, RequestContext};
use super::request_error::RequestError;
use super::{channels, response};
use crate::conf::StatisticsFormat;
use crate::ngx_ext::request::OutOfMemory;
use crate::protocol::accept::{self, Representation, Statistics};
use crate::protocol::channel_path::{self, Item};
use crate::protocol::metrics::{Exposition, Metrics, WorkerMetrics};
use crate::protocol::statistics::{Format, Group, Summary, WorkerInfo};
use crate::store::{DropCause, Mode, WorkerCounts};
use crate::worker;

/// The source the module was built from: 40 hex digits, or `unknown` (STAT-21); build.rs finds it out.
const COMMIT: &str = env!("PUSH_STREAM_COMMIT");

/// What the channels path asks for.
enum Question<'a> {
    /// All channels whose id begins with this; `ALL` asks for the empty prefix (STAT-5, STAT-6).
    Prefix(&'a [u8]),
    Ids(SmallVec<[&'a [u8]; 4]>),
}

/// Answers a request to a statistics location; nothing is created or renewed (STAT-16). HEAD gets the
/// head of what GET would get (STAT-1).
pub fn handle(exchange: &RequestContext<'_>, format: StatisticsFormat) -> ngx_int_t {
    let request = exchange.request;
    if let Err(OutOfMemory) = response::begin(request) {
        return INTERNAL_ERROR;
    }
    if !matches!(request.method(), NGX_HTTP_GET | NGX_HTTP_HEAD) {
        return response::not_allowed(request, "GET, HEAD");
    }
    let version = env!("CARGO_PKG_VERSION").as_bytes();
    let begun = request
        .push_header("X-Nginx-PushStream-Tag", version)
        .and_then(|()| request.push_header("X-Nginx-PushStream-Commit", COMMIT.as_bytes()));
    if let Err(OutOfMemory) = begun {
        return INTERNAL_ERROR;
    }

    let statistics = match format {
        StatisticsFormat::Negotiated => accept::statistics(request.header_lines("Accept")),
        StatisticsFormat::Prometheus => Statistics::Metrics(Exposition::Prometheus),
    };
    match statistics {
        Statistics::Channels(representation) => channels(exchange, representation),
        // They are the zone's, whatever the path names (STAT-66, STAT-68).
        Statistics::Metrics(exposition) => {
            response::body(request, exposition.content_type(), metrics(exchange, exposition))
        }
    }
}

/// Answers about what the channels path names (STAT-3..10).
fn channels(exchange: &RequestContext<'_>, representation: Representation) -> ngx_int_t {
    let request = exchange.request;
    let Ok(path) = exchange.decoded(&exchange.location.channels_path) else {
        return INTERNAL_ERROR;
    };
    let Representation { format, content_type } = representation;
    if path.is_empty() {
        return response::body(request, content_type, summary(exchange, format));
    }
    match question(exchange, &path) {
        Ok(Question::Prefix(prefix)) => match list(exchange, prefix, format) {
            Some(body) => response::body(request, content_type, body),
            None => INTERNAL_ERROR,
        },
        Ok(Question::Ids(ids)) => channels::find(exchange, ids, representation),
        Err(refusal) => response::refuse(request, refusal),
    }
}

/// Reads the path from left to right. The first `ALL` or prefix decides alone, and what follows it
/// is not looked at (STAT-11, STAT-12).
fn question<'a>(
    exchange: &RequestContext<'_>,
    path: &'a [u8],
) -> Result<Question<'a>, RequestError> {
    let items = channel_path::parse(path)
        .inspect_err(|error| channels::log_path_error(exchange, path, *error))?;
    let mut ids = SmallVec::new();
    for Item { id, .. } in items {
        let prefix = match id.iter().position(|byte| *byte == b'*') {
            Some(star) => Some(&id[..star]),
            None => (id == b"ALL").then_some(&[][..]),
        };
        // What stands for many channels is no id: only the bytes of the prefix count (STAT-13).
        channels::check_length(exchange, prefix.unwrap_or(id))?;
        match prefix {
            Some(prefix) => return Ok(Question::Prefix(prefix)),
            None => ids.push(id),
        }
    }
    Ok(Question::Ids(ids))
}

/// The zone as a whole, from one snapshot (STAT-36..63).
fn summary(exchange: &RequestContext<'_>, format: Format) -> Vec<u8> {
    let now = exchange.zone.now();
    let totals = exchange.zone.totals(now);
    let summary = Summary {
        head: channels::group_head(&totals),
        published: totals.published,
        stored: totals.stored,
        messages_in_trash: totals.messages_in_trash,
        channels_in_delete: totals.channels_in_delete,
        channels_in_trash: totals.channels_in_trash,
        subscribers: totals.subscribers,
        workers: totals
            .workers
            .iter()
            .map(|worker| WorkerInfo {
                pid: worker.pid.into(),
                subscribers: worker.subscribers.iter().sum(),
                uptime: now.saturating_sub(worker.started),
            })
            .collect(),
    };
    let mut body = Vec::new();
    format.summary(&summary, &mut body);
    body
}

/// The zone as a whole for a scraper, from one snapshot (STAT-68..71).
fn metrics(exchange: &RequestContext<'_>, exposition: Exposition) -> Vec<u8> {
    let now = exchange.zone.now();
    let totals = exchange.zone.totals(now);
    let worker = |worker: &WorkerCounts| WorkerMetrics {
        pid: worker.pid.into(),
        started: worker.started,
        subscribers: Mode::ALL.map(|mode| (mode.name(), worker.subscribers[mode as usize])).into(),
    };
    let metrics = Metrics {
        channels: totals.channels,
        wildcard_channels: totals.wildcard_channels,
        channels_in_delete: totals.channels_in_delete,
        channels_in_trash: totals.channels_in_trash,
        published: totals.published,
        stored: totals.stored,
        messages_in_trash: totals.messages_in_trash,
        delivered: totals.delivered,
        dropped: DropCause::ALL.map(|cause| (cause.name(), totals.dropped[cause as usize])).into(),
        evicted: totals.evicted,
        used: totals.used,
        free: totals.free,
        largest_free: totals.largest_free,
        started: now.saturating_sub(totals.uptime),
        workers: totals.workers.iter().map(worker).collect(),
    };
    let mut body = Vec::new();
    exposition.write(&metrics, &mut body);
    body
}

/// The channels of a prefix, in order of creation, however few (STAT-10, STAT-31, STAT-35). `None`
/// only when this worker has no place in the zone yet.
fn list(exchange: &RequestContext<'_>, prefix: &[u8], format: Format) -> Option<Vec<u8>> {
    let me = worker::slot()?;
    let mut body = Vec::new();
    let head = channels::group_head(&exchange.zone.totals(exchange.zone.now()));
    let mut group = Group::begin(format, &head, &mut body);
    exchange.zone.list(me, prefix, |id, info| group.push(&channels::shown(id, info)));
    group.finish();
    Some(body)
}
