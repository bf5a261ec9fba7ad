//! A statistics location: the summary, every channel, those of a prefix, or some by name.

use nginx_sys::{NGX_HTTP_GET, ngx_int_t};
use smallvec::SmallVec;

use super::refusal::Refusal;
use super::{Exchange, INTERNAL_ERROR, answer, channels};
use crate::ngx_ext::request::OutOfMemory;
use crate::protocol::channel_path::{self, Item};
use crate::protocol::statistics::{self, JsonGroup, Summary, WorkerInfo};
use crate::worker;

/// The source the module was built from; 40 hex digits, zeroes where the build could not tell (STAT-21).
const COMMIT: &str = match option_env!("PUSH_STREAM_COMMIT") {
    Some(commit) if commit.len() == 40 => commit,
    _ => "0000000000000000000000000000000000000000",
};

/// What the channels path asks for.
enum Question<'a> {
    /// All channels whose id begins with this; `ALL` asks for the empty prefix (STAT-5, STAT-6).
    Prefix(&'a [u8]),
    Ids(SmallVec<[&'a [u8]; 4]>),
}

/// Answers a request to a statistics location; nothing is created or renewed (STAT-16).
pub fn handle(exchange: &Exchange<'_>) -> ngx_int_t {
    let request = exchange.request;
    if let Err(OutOfMemory) = answer::begin(request) {
        return INTERNAL_ERROR;
    }
    if request.method() != NGX_HTTP_GET {
        return answer::not_allowed(request, "GET");
    }
    let version = env!("CARGO_PKG_VERSION").as_bytes();
    let begun = request
        .push_header("X-Nginx-PushStream-Tag", version)
        .and_then(|()| request.push_header("X-Nginx-PushStream-Commit", COMMIT.as_bytes()))
        .and_then(|()| exchange.decoded(&exchange.location.channels_path));
    let Ok(path) = begun else { return INTERNAL_ERROR };

    if path.is_empty() {
        return answer::json(request, &summary(exchange));
    }
    match question(exchange, &path) {
        Ok(Question::Prefix(prefix)) => match list(exchange, prefix) {
            Some(body) => answer::json(request, &body),
            None => INTERNAL_ERROR,
        },
        Ok(Question::Ids(ids)) => channels::show(exchange, ids),
        Err(refusal) => answer::refuse(request, refusal),
    }
}

/// Reads the path from left to right. The first `ALL` or prefix decides alone, and what follows it
/// is not looked at (STAT-11, STAT-12).
fn question<'a>(exchange: &Exchange<'_>, path: &'a [u8]) -> Result<Question<'a>, Refusal> {
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
fn summary(exchange: &Exchange<'_>) -> Vec<u8> {
    let now = channels::now();
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
    statistics::json_summary(&summary, &mut body);
    body
}

/// The channels of a prefix, in order of creation, however few (STAT-10, STAT-31, STAT-35). `None`
/// only when this worker has no place in the zone yet.
fn list(exchange: &Exchange<'_>, prefix: &[u8]) -> Option<Vec<u8>> {
    let me = worker::slot()?;
    let mut body = Vec::new();
    let mut group =
        JsonGroup::begin(&channels::group_head(&exchange.zone.totals(channels::now())), &mut body);
    exchange.zone.list(me, prefix, |id, info| group.push(&channels::shown(id, info)));
    group.finish();
    Some(body)
}
