//! Subscribers of each mode through each of their endings, without nginx: what is to be done is recorded, and what
//! is sent is kept as the client would get it.

use std::sync::Mutex;
use std::time::Duration;

use smallvec::SmallVec;

use super::*;
use crate::conf::settings::{LocationSettings, MainSettings};
use crate::conf::{Main, SubscriberMode};
use crate::protocol::template::MessageView;
use crate::protocol::websocket::frame::{self, Opcode};
use crate::protocol::websocket::rules::{Masking, ReaderLimits};
use crate::store::tests::{Bench, START};
use crate::store::{
    Channel, DropCause, JoinItem, JoinRules, MessageRef, Poll, PollRequest, Ref, ResumePoint,
    Subscription, WaitPolicy,
};
use crate::worker::context::Departure;
use crate::worker::output::encoded::{EncodingCache, Framing, view};
use crate::worker::output::frames::Frames;
use crate::worker::registry::Registry;
use crate::worker::subscriber::effect::{AnswerHead, Effect, Publication};
use crate::worker::subscriber::input::{Budget, Input};
use crate::worker::subscriber::stream::Beginning;

/// What the tests have set up, which lasts as long as they do; the addresses tell whoever looks for leaks.
static KEPT: Mutex<Vec<usize>> = Mutex::new(Vec::new());

fn keep<T>(value: T) -> &'static T {
    let kept: &'static T = Box::leak(Box::new(value));
    KEPT.lock().unwrap().push(std::ptr::from_ref(kept).addr());
    kept
}

/// Milliseconds of nginx's clock when a subscriber comes.
const BEGIN: u64 = 1_000_000;

/// A worker of a zone on the heap. Its settings live as long as the tests.
struct World {
    bench: Bench,
    context: Context,
}

impl World {
    fn new(settings: MainSettings) -> World {
        let bench = Bench::new(1 << 20);
        let me = bench.worker().me;
        let main = keep(Main::resolve(&settings).unwrap());
        let context = Context::new(bench.zone, me, main);
        World { bench, context }
    }

    fn location(&self, mode: SubscriberMode, settings: LocationSettings) -> &'static Location {
        keep(Location::of_subscriber(mode, &settings, self.context.main))
    }

    fn joined(&self, ids: &[&str], backtrack: u64) -> SmallVec<[Subscription; 1]> {
        let items: Vec<_> =
            ids.iter().map(|id| JoinItem { id: id.as_bytes(), backtrack }).collect();
        let (zone, rules) = (&self.context.zone, JoinRules::default());
        let since = ResumePoint::default();
        zone.join(self.context.me, &items, &since, &rules, &self.bench.limits, START)
            .unwrap()
            .subscriptions
    }

    fn stream<'w>(
        &'w self,
        settings: LocationSettings,
        ids: &[&str],
        backtrack: u64,
    ) -> Client<'w> {
        let location = self.location(SubscriberMode::Streaming, settings);
        let mode = Mode::Stream(Stream::open(Stream::mode_in(location)));
        let mut client = Client::new(self, location, mode, self.joined(ids, backtrack));
        let beginning = Beginning {
            header_minimum: 0,
            gap: b"",
            position: Stamp { second: START, tag: 1 },
            is_placed: false,
        };
        let common = &mut client.subscriber.common;
        common.out.begin(Framing::Plain);
        Stream::begin(common, &self.context, &beginning);
        client.subscriber.read_page(&self.context);
        client.happens(Event::Writable);
        client.effects.clear();
        client
    }

    fn wait<'w>(&'w self, settings: LocationSettings, id: &str) -> Client<'w> {
        let location = self.location(SubscriberMode::LongPolling, settings);
        let items = [JoinItem { id: id.as_bytes(), backtrack: 0 }];
        let ask = PollRequest {
            items: &items,
            since: &ResumePoint::default(),
            patience: WaitPolicy::Wait,
            rules: &JoinRules::default(),
            limits: &self.bench.limits,
            now: START,
        };
        let polled = self.context.zone.poll(self.context.me, &ask).unwrap().poll;
        let Poll::Waiting { subscriptions, began } = polled else { panic!("{polled:?}") };
        Client::new(self, location, Mode::LongPoll(LongPoll::waiting(began)), subscriptions)
    }

    fn websocket<'w>(&'w self, settings: LocationSettings, ids: &[&str]) -> Client<'w> {
        let location = self.location(SubscriberMode::WebSocket, settings);
        let joined = self.joined(ids, 0);
        let targets = joined.iter().zip(ids).map(|(one, id)| (one.channel, id.as_bytes().into()));
        let limits = ReaderLimits {
            max_message: 1000,
            keep: true,
            masking: Masking::Optional,
            binary: false,
            deflate: false,
        };
        let socket = WebSocket::open(limits, Vec::new(), targets.collect());
        let mut client = Client::new(self, location, Mode::WebSocket(Box::new(socket)), joined);
        client.subscriber.common.out.framing = Framing::Frames(Frames::default());
        client
    }

    fn counts(&self, mode: store::Mode) -> u64 {
        let workers = self.context.zone.totals(START).workers;
        workers.iter().map(|worker| worker.subscribers[mode as usize]).sum()
    }
}

/// A subscriber, what it wanted done, and what its client got.
struct Client<'w> {
    world: &'w World,
    registry: Registry<()>,
    subscriber: Subscriber,
    now: u64,
    /// The client takes nothing.
    stalled: bool,
    got: Vec<u8>,
    /// Names of the effects that are not sending, in their order.
    effects: Vec<String>,
    published: Vec<Publication>,
    over: bool,
}

impl<'w> Client<'w> {
    fn new(
        world: &'w World,
        location: &'static Location,
        mode: Mode,
        joined: SmallVec<[Subscription; 1]>,
    ) -> Client<'w> {
        let registry = Registry::default();
        let mut subscriber = Subscriber::new(location, mode, BodyWrapper::Templates, 0);
        let history: Vec<_> = joined.iter().filter_map(|one| one.history).collect();
        subscriber.common.out.set_history(history.into_iter(), false);
        let member = std::rc::Rc::new(());
        subscriber.common.memberships = joined
            .into_iter()
            .map(|one| registry.enter(&member, Subscription { history: None, ..one }))
            .collect();
        subscriber.counts_as().into_iter().for_each(|mode| world.context.count_in(mode));
        subscriber.start_times(BEGIN);
        Client {
            world,
            registry,
            subscriber,
            now: BEGIN,
            stalled: false,
            got: Vec::new(),
            effects: Vec::new(),
            published: Vec::new(),
            over: false,
        }
    }

    fn channel(&self, i: usize) -> Ref<Channel> {
        self.subscriber.common.memberships[i].subscription.channel
    }

    fn happens(&mut self, mut event: Event<'_, '_>) {
        let mut again = true;
        while std::mem::take(&mut again) && !self.over {
            let mut turn = Turn::new(&self.world.context, self.now);
            self.subscriber.react(&mut turn, &mut event);
            for effect in turn.effects {
                again |= matches!(effect, Effect::Again);
                self.carry_out(effect);
                if self.over {
                    return;
                }
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Send(item) => {
                assert!(self.subscriber.common.out.is_idle(), "nothing waits before it");
                match self.stalled {
                    true => self.subscriber.common.out.queue.push(item),
                    false => self.got.extend_from_slice(&item.bytes),
                }
            }
            Effect::Flush { .. } => self.flush(),
            Effect::Again => {}
            Effect::Leave(left) => {
                let context = &self.world.context;
                let subscriptions: Vec<_> =
                    left.memberships.iter().map(|member| member.subscription).collect();
                left.memberships.iter().for_each(|member| self.registry.leave(member));
                self.effects.push(format!("leave {}", subscriptions.len()));
                _ = context.zone.leave(context.me, &subscriptions, &self.world.bench.limits, START);
                context.zone.give_up(context.me, &left.unread);
            }
            Effect::Head(head) => {
                let AnswerHead { position, .. } = head;
                self.effects.push(format!("head {:?}:{:?}", position.time, position.tag));
                self.subscriber.common.out.begin(Framing::Plain);
            }
            Effect::NothingNew(_) | Effect::Abort => {
                self.effects.push(format!("{effect:?}").split('(').next().unwrap().to_owned());
                self.end();
            }
            Effect::Publish(publication) => self.published.push(*publication),
            Effect::Log(line) => {
                let line = format!("{line:?}");
                let name = line.split([' ', '(']).next().unwrap();
                self.effects.push(format!("log {name}"));
            }
            effect => self.effects.push(format!("{effect:?}")),
        }
    }

    fn flush(&mut self) {
        let mut pages = 4;
        while !self.stalled && !self.over {
            while let Some((item, offset)) = self.subscriber.common.out.queue.front() {
                let rest = item.bytes[offset..].to_vec();
                self.got.extend_from_slice(&rest);
                self.subscriber.common.out.queue.advance(rest.len());
            }
            match self.subscriber.next(&self.world.context, pages) {
                Some(Next::Queued) => {}
                Some(Next::Page) => pages -= 1,
                Some(Next::Closing) => self.effects.push("closing".to_owned()),
                Some(Next::Idle) => return,
                None => return self.effects.push("later".to_owned()),
                Some(Next::AwaitClose) => return self.effects.push("await close".to_owned()),
                Some(next) => {
                    self.effects.push(format!("{next:?}"));
                    self.end();
                }
            }
        }
    }

    fn end(&mut self) {
        let left = self.subscriber.end(&self.world.context);
        assert!(left.memberships.is_empty() || self.effects.last().unwrap() == "Abort");
        self.carry_out(Effect::Leave(left));
        self.effects.pop();
        self.over = true;
    }

    /// A live message of its first channel.
    fn message(&mut self, text: &[u8]) {
        let message = MessageRef {
            channel: self.channel(0),
            channel_id: b"a",
            id: 1,
            stamp: Stamp { second: START, tag: 7 },
            text,
            event_id: None,
            event_type: None,
            binary: false,
        };
        let mut encodings = EncodingCache::new(view(&message), true);
        self.happens(Event::Message {
            message: &message,
            encodings: &mut encodings,
            flushed: false,
        });
    }

    /// Word of the end of its first channel.
    fn deleted(&mut self) {
        let end = Stamp { second: START, tag: 9 };
        let view = MessageView::channel_deleted(b"a", b"gone").at(end.second, end.tag);
        let mut encodings = EncodingCache::new(view, false);
        let channel = self.channel(0);
        self.happens(Event::ChannelDeleted { channel, end, encodings: &mut encodings });
    }

    fn hears(&mut self, opcode: Opcode, payload: &[u8]) {
        let mut bytes = Vec::new();
        frame::append(opcode, payload, &mut bytes);
        let mut budget = Budget::default();
        let mut input = Input { bytes: &mut bytes, budget: &mut budget, is_read: false };
        while !input.is_read && !self.over {
            self.happens(Event::Input(&mut input));
        }
    }

    fn after(&mut self, time: Duration, event: Event<'_, '_>) {
        self.now += millis(time);
        self.happens(event);
    }

    /// What it got and what was done since this was last asked.
    #[track_caller]
    fn expect(&mut self, got: &str, effects: &[&str]) {
        let bytes = std::mem::take(&mut self.got);
        assert_eq!(bytes.escape_ascii().to_string(), got, "{:?}", self.effects);
        assert_eq!(std::mem::take(&mut self.effects), effects);
    }
}

fn footer() -> LocationSettings {
    LocationSettings {
        footer_template: Some(b"FOOT".to_vec()),
        message_template: Some(b"~text~\n".to_vec()),
        ping_message_interval: Some(Duration::from_secs(10)),
        subscriber_connection_ttl: Some(Duration::from_secs(60)),
        ..LocationSettings::default()
    }
}

fn world() -> World {
    World::new(MainSettings {
        ping_message_text: Some(b"PING".to_vec()),
        ..MainSettings::default()
    })
}

#[test]
fn a_stream_gets_history_then_messages() {
    let world = world();
    let worker = world.bench.worker();
    (0..3).for_each(|n| drop(worker.publish("a", &format!("old {n}"), true).unwrap()));
    let mut client = world.stream(footer(), &["a"], 2);
    client.message(b"new");
    client.expect("old 1\\nold 2\\nnew\\n", &[]);
    client.stalled = true;
    client.message(b"more");
    client.message(b"still more");
    client.expect("", &[]);
    client.stalled = false;
    client.happens(Event::Writable);
    client.expect("more\\nstill more\\n", &[]);
    assert_eq!(world.counts(store::Mode::Streaming), 1);
    client.subscriber.end(&world.context);
}

#[test]
fn a_stream_is_pinged_unless_something_was_sent() {
    // PING-1
    let world = world();
    let mut client = world.stream(footer(), &["a"], 0);
    client.after(Duration::from_secs(4), Event::Timer);
    client.message(b"x");
    assert_eq!(client.subscriber.next_time(), Some(BEGIN + 14_000));
    client.after(Duration::from_secs(6), Event::Timer);
    client.expect("x\\n", &[]);
    client.after(Duration::from_secs(4), Event::Timer);
    client.expect("PING\\n", &[]);
    assert_eq!(client.subscriber.next_time(), Some(BEGIN + 24_000));
}

#[test]
fn a_stream_ends_with_its_footer() {
    // SUB-43, SUB-46, LIFE-94, DEL-1..3, SUB-48
    let ends: [fn(&mut Client<'_>); 2] = [
        |client| client.after(Duration::from_secs(60), Event::Timer),
        |client| client.happens(Event::Shutdown),
    ];
    for end in ends {
        let world = world();
        let mut client = world.stream(footer(), &["a"], 0);
        end(&mut client);
        client.expect("FOOT", &["leave 1", "Finish"]);
        assert_eq!(world.counts(store::Mode::Streaming), 0);
        client.message_after_the_end();
    }
    let world = world();
    let mut client = world.stream(footer(), &["a", "b"], 0);
    client.deleted();
    client.expect("gone\\n", &["leave 1"]);
    client.deleted();
    client.expect("gone\\nFOOT", &["leave 1", "Finish"]);
    assert_eq!(world.context.live(), 0);
}

impl Client<'_> {
    /// Nothing happens any more to who is over.
    fn message_after_the_end(&mut self) {
        let mut turn = Turn::new(&self.world.context, self.now);
        for mut event in [Event::Writable, Event::Timer, Event::Shutdown, Event::WriteTimedOut] {
            self.subscriber.react(&mut turn, &mut event);
        }
        assert!(turn.effects.is_empty() && !self.subscriber.is_live());
        assert_eq!(self.subscriber.next_time(), None);
    }
}

#[test]
fn a_slow_reader_ends_without_what_has_not_begun() {
    let world = world();
    let settings = LocationSettings { subscriber_max_pending: Some(10), ..footer() };
    let mut client = world.stream(settings, &["a"], 0);
    client.stalled = true;
    client.message(b"first");
    client.subscriber.common.out.queue.advance(2);
    client.message(b"second");
    client.message(b"third");
    client.expect("", &["StopKeepalive", "log SlowReader", "leave 1"]);
    client.stalled = false;
    client.happens(Event::Writable);
    client.expect("rst\\nFOOT", &["Finish"]);
    let dropped = world.context.zone.totals(START).dropped[DropCause::SlowReader as usize];
    assert_eq!(dropped, 2);
}

#[test]
fn a_slow_reader_that_has_read_on_gets_its_message() {
    let world = world();
    let settings = LocationSettings { subscriber_max_pending: Some(10), ..footer() };
    let mut client = world.stream(settings, &["a"], 0);
    client.stalled = true;
    ["first", "second"].iter().for_each(|text| client.message(text.as_bytes()));
    client.stalled = false;
    client.message(b"third");
    client.expect("first\\nsecond\\nthird\\n", &[]);
}

#[test]
fn a_client_that_takes_nothing_is_reset() {
    let world = world();
    let mut client = world.stream(footer(), &["a"], 0);
    client.stalled = true;
    client.message(b"x");
    client.happens(Event::WriteTimedOut);
    client.expect("", &["ResetOnClose", "Abort"]);
    assert_eq!(world.context.live(), 0);
}

#[test]
fn history_that_is_not_read_is_given_up() {
    let world = world();
    let worker = world.bench.worker();
    (0..200).for_each(|n| drop(worker.publish("a", &format!("{n}"), true).unwrap()));
    let mut client = world.stream(footer(), &["a"], 200);
    client.stalled = true;
    client.message(b"live");
    client.happens(Event::Shutdown);
    client.stalled = false;
    client.happens(Event::Writable);
    let got = String::from_utf8(std::mem::take(&mut client.got)).unwrap();
    assert!(got.ends_with("\nFOOT") && !got.contains("live"), "{got}");
    drop(client);
    world.bench.check();
}

fn patient() -> LocationSettings {
    LocationSettings { longpolling_connection_ttl: Some(Duration::from_secs(30)), ..footer() }
}

#[test]
fn a_wait_is_answered_with_the_message_that_ends_it() {
    // LP-6, LP-7
    let world = world();
    let mut client = world.wait(patient(), "a");
    assert_eq!(world.counts(store::Mode::LongPolling), 1);
    client.message(b"x");
    let head = format!("head Some({START}):Some(7)");
    client.expect("x\\nFOOT", &["leave 1", "StopTimer", &head, "Finish"]);
    assert_eq!(world.counts(store::Mode::LongPolling), 0);
}

#[test]
fn a_wait_ends_with_its_channel() {
    // LP-15, DEL-4
    let world = world();
    let mut client = world.wait(patient(), "a");
    client.deleted();
    let head = &client.effects[2].clone();
    assert!(head.starts_with("head Some("), "{head}");
    client.expect("gone\\nFOOT", &["leave 1", "StopTimer", head, "Finish"]);
}

#[test]
fn a_wait_in_vain_is_told_so() {
    // LP-9, LP-11, LP-16
    let ends: [fn(&mut Client<'_>); 2] = [
        |client| client.after(Duration::from_secs(30), Event::Timer),
        |client| client.happens(Event::Shutdown),
    ];
    for end in ends {
        let world = world();
        let mut client = world.wait(patient(), "a");
        client.after(Duration::from_secs(29), Event::Timer);
        client.expect("", &[]);
        end(&mut client);
        client.expect("", &["leave 1", "StopTimer", "NothingNew"]);
        client.message_after_the_end();
        let with_body =
            World::new(MainSettings { timeout_with_body: Some(true), ..MainSettings::default() });
        let mut client = with_body.wait(patient(), "a");
        client.now += 1000;
        end(&mut client);
        let head = &client.effects[2].clone();
        client.expect("Timed out\\nFOOT", &["leave 1", "StopTimer", head, "Finish"]);
    }
}

#[test]
fn a_wait_with_something_about_to_reach_it_gets_more_time() {
    // LP-10
    let world = world();
    let mut client = world.wait(patient(), "a");
    world.bench.worker().publish("a", "x", false).unwrap();
    client.after(Duration::from_secs(30), Event::Timer);
    client.expect("", &["TakeMail"]);
    assert_eq!(client.subscriber.next_time(), Some(client.now + 5));
    client.message(b"x");
    assert_eq!(client.got, b"x\nFOOT");
}

fn speaking() -> LocationSettings {
    LocationSettings {
        websocket_allow_publish: Some(true),
        websocket_close_codes: Some(true),
        websocket_pong_timeout: Some(Duration::from_secs(5)),
        ..footer()
    }
}

#[test]
fn a_websocket_ends_with_footer_and_both_close_frames() {
    // WS-63, WS-GAP-15, WS-GAP-16
    let world = world();
    let mut client = world.websocket(speaking(), &["a"]);
    client.message(b"x");
    client.happens(Event::Shutdown);
    let footer = "\\x81\\x02x\\n\\x81\\x04FOOT\\x88\\x02\\x03\\xe8";
    client.expect(footer, &["leave 1", "closing", "await close"]);
    assert_eq!(world.counts(store::Mode::WebSocket), 0);
    client.happens(Event::Writable);
    client.expect("", &[]);
    client.hears(Opcode::Close, b"\x03\xe8");
    client.expect("", &["leave 0", "End { linger: false }"]);
}

#[test]
fn a_leaving_worker_says_so_and_a_silent_client_is_not_waited_for() {
    let world = world();
    world.context.set_departure(Departure::Ended);
    let mut client = world.websocket(speaking(), &["a"]);
    client.happens(Event::Shutdown);
    client.expect("\\x81\\x04FOOT\\x88\\x02\\x03\\xe9", &["leave 1", "closing", "await close"]);
    client.happens(Event::ReadTimedOut);
    client.expect("", &["End { linger: false }"]);
}

#[test]
fn a_websocket_closes_when_its_client_does() {
    // WS-78, WS-79
    let world = world();
    let mut client = world.websocket(speaking(), &["a"]);
    client.hears(Opcode::Close, b"\x03\xe8bye");
    client.expect("\\x88\\x02\\x03\\xe8", &["leave 1", "End { linger: false }"]);
    assert_eq!(world.context.live(), 0);
}

#[test]
fn a_websocket_publishes_to_the_channels_it_is_still_on() {
    // WS-91..97, WS-99
    let world = world();
    let mut client = world.websocket(speaking(), &["a", "b"]);
    client.hears(Opcode::Text, b"to both");
    client.hears(Opcode::Text, b"");
    client.deleted();
    client.hears(Opcode::Text, b"to one");
    let targets: Vec<_> = client.published.iter().map(|one| one.targets.len()).collect();
    assert_eq!(targets, [2, 1]);
    assert_eq!(client.published[1].text, b"to one");
    client.effects.clear();
    client.got.clear();
    client.happens(Event::NotPublished);
    client.expect("\\x88\\x02\\x03\\xf3", &["leave 1", "End { linger: true }"]);
}

#[test]
fn a_ping_is_answered_when_nothing_waits() {
    // WS-GAP-9
    let world = world();
    let mut client = world.websocket(speaking(), &["a"]);
    client.stalled = true;
    client.message(b"x");
    client.hears(Opcode::Ping, b"1");
    client.hears(Opcode::Ping, b"2");
    client.stalled = false;
    client.happens(Event::Writable);
    client.expect("\\x81\\x02x\\n\\x8a\\x012", &[]);
}

#[test]
fn a_client_without_a_pong_is_let_go() {
    // WS-60
    let world = world();
    let mut client = world.websocket(speaking(), &["a"]);
    client.after(Duration::from_secs(10), Event::Timer);
    client.expect("\\x89\\x00", &[]);
    assert_eq!(client.subscriber.next_time(), Some(client.now + 5000));
    client.hears(Opcode::Pong, b"");
    client.after(Duration::from_secs(10), Event::Timer);
    client.expect("\\x89\\x00", &[]);
    client.after(Duration::from_secs(5), Event::Timer);
    let close = "\\x88\\x11\\x03\\xf0no pong in time";
    client.expect(close, &["log NoPong", "leave 1", "End { linger: true }"]);
}

#[test]
fn an_unfinished_message_has_its_time() {
    // WS-85
    let world = world();
    let mut client = world.websocket(speaking(), &["a"]);
    client.happens(Event::InputEnds { body_timeout: 60_000 });
    client.expect("", &["StopReadTimer"]);
    let mut begun = *b"\x01\x02hi";
    let mut budget = Budget::default();
    let mut input = Input { bytes: &mut begun, budget: &mut budget, is_read: false };
    client.happens(Event::Input(&mut input));
    client.happens(Event::InputEnds { body_timeout: 60_000 });
    client.expect("", &["SetReadTimer(60000)"]);
    client.now += 50_000;
    client.happens(Event::InputEnds { body_timeout: 60_000 });
    client.expect("", &["SetReadTimer(10000)"]);
    client.happens(Event::ReadTimedOut);
    let close = "\\x88\\x13\\x03\\xf0message timed out";
    client.expect(close, &["log MessageIncomplete", "leave 1", "End { linger: true }"]);
}

#[test]
fn nonsense_closes_a_websocket() {
    let world = world();
    let mut client = world.websocket(speaking(), &["a"]);
    client.hears(Opcode::Text, b"\xff");
    client.expect("\\x88\\x02\\x03\\xef", &["log Violation", "leave 1", "End { linger: true }"]);
}

#[test]
fn a_slow_websocket_is_told_to_try_again_later() {
    let world = world();
    let settings = LocationSettings { subscriber_max_pending: Some(10), ..speaking() };
    let mut client = world.websocket(settings, &["a"]);
    client.stalled = true;
    (0..2).for_each(|_| client.message(b"a message"));
    client.stalled = false;
    client.happens(Event::Writable);
    assert!(client.got.ends_with(b"FOOT\x88\x02\x03\xf5"), "{}", client.got.escape_ascii());
    assert_eq!(client.effects[1], "log SlowReader");
}

#[test]
fn a_websocket_whose_client_goes_or_whose_process_ends_is_cut() {
    // WS-89
    let world = world();
    let mut client = world.websocket(speaking(), &["a"]);
    client.happens(Event::ClientLeft);
    client.expect("", &["log ClientLeft", "Abort"]);
    let mut client = world.websocket(speaking(), &["a"]);
    client.happens(Event::ProcessEnds);
    client.expect("", &["Abort"]);
    assert_eq!(world.context.live(), 0);
    let mut stream = world.stream(footer(), &["a"], 0);
    stream.happens(Event::ProcessEnds);
    stream.expect("", &[]);
}

#[test]
fn what_was_not_looked_at_is_kept_for_the_next_turn() {
    let world = world();
    let mut client = world.websocket(speaking(), &["a"]);
    client.after(Duration::from_secs(10), Event::Timer);
    client.got.clear();
    client.now += 3000;
    client.happens(Event::InputWaits(b"rest".to_vec()));
    client.expect("", &["StopReadTimer", "ReadLater"]);
    // Its time for the pong begins anew.
    assert_eq!(client.subscriber.next_time(), Some(client.now + 5000));
    let Mode::WebSocket(socket) = &client.subscriber.mode else { unreachable!() };
    assert_eq!(socket.pending_input, b"rest");
}
