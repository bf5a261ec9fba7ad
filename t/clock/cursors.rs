//! Order and cursors hold whatever the clock does (OLD-19, PUB-71..73).

use tokio::task::JoinSet;

use crate::faketime::{Clock, HOUR};
use crate::support::{Client, EventSource, LongPoll, Nginx};

/// Where the clock is set to, one after the other.
const STEPS: [i64; 6] = [0, 3 * HOUR, -5 * HOUR, HOUR, -26 * HOUR, 0];
/// Messages after each step.
const EACH: u64 = 15;
const ALL: u64 = STEPS.len() as u64 * EACH;

async fn publish(nginx: &Nginx, clock: &Clock) {
    for (step, ahead) in STEPS.into_iter().enumerate() {
        clock.set(nginx, ahead).await;
        for n in 1..=EACH {
            nginx.publish("c", (step as u64 * EACH + n).to_string()).await;
        }
    }
}

fn server(clock: &Clock) -> crate::support::Builder {
    clock
        .server()
        .mode("eventsource", "ev", "push_stream_event_id auto;")
        .mode("websocket", "ws", "")
        .mode("polling", "poll", "")
        .mode("long-polling", "lp", "push_stream_longpolling_connection_ttl 20s;")
}

/// Subscribers of every mode, there all along or coming back with what they were told, get each message
/// once and in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_once_in_every_mode() {
    let clock = Clock::new();
    let nginx = server(&clock).start().await;
    nginx.publish("c", "0").await;
    let mut readers = JoinSet::new();
    let mut stream = nginx.stream("/sub/c").await;
    readers.spawn(async move {
        for n in 1..=ALL {
            assert_eq!(stream.line().await, format!("{} c {n}", n + 1), "streaming");
        }
    });
    let mut events = EventSource::new(&nginx, "/ev/c.b1");
    assert_eq!(events.data().await, "0");
    readers.spawn(async move {
        for n in 1..=ALL {
            assert_eq!(events.data().await, n.to_string(), "event stream");
        }
    });
    let mut socket = nginx.socket("/ws/c").await;
    readers.spawn(async move {
        for n in 1..=ALL {
            socket.text(&n.to_string()).await;
        }
    });
    for mode in ["poll", "lp"] {
        let mut client = LongPoll::new(&nginx, &format!("/{mode}/c")).since_long_ago();
        readers.spawn(async move {
            let mut next = 0;
            while next <= ALL {
                let answer = client.poll().await;
                let text = answer.text();
                // Numbers follow each other without a mark between them.
                let mut rest = text;
                while !rest.is_empty() {
                    let expected = next.to_string();
                    rest = rest
                        .strip_prefix(expected.as_str())
                        .unwrap_or_else(|| panic!("{mode}: {text:?} where {expected} should come"));
                    next += 1;
                }
            }
        });
    }
    // Comes back for every single message, with the id it had last.
    let port = &nginx;
    let resuming = async {
        let mut id = String::new();
        for n in 0..=ALL {
            let mut client = match id.as_str() {
                "" => EventSource::new(port, "/ev/c.b1"),
                id => EventSource::resuming(port, "/ev/c", id),
            };
            let event = client.event().await;
            assert_eq!(event.data, n.to_string(), "an event stream that came back");
            id = event.id.filter(|id| !id.is_empty()).expect("an id");
        }
    };
    tokio::join!(publish(&nginx, &clock), resuming);
    readers.join_all().await;
}

/// Stamps rise with the ids, over several channels and workers, and no worker hangs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_publishers_while_the_clock_jumps() {
    let clock = Clock::new();
    let nginx = server(&clock)
        .mode("polling", "stamps", r#"push_stream_message_template "~time~;~tag~;~id~|";"#)
        .start()
        .await;
    let mut publishers = JoinSet::new();
    for _ in 0..4 {
        let port = nginx.port;
        publishers.spawn(async move {
            let mut client = Client::connect(port).await.expect("connect");
            for n in 0..250 {
                let answer = client.post(&format!("/pub?id=p{}", n % 2), "x").await;
                assert_eq!(answer.expect("an answer").status, 200);
            }
        });
    }
    for step in 0..10 {
        clock.set(&nginx, [HOUR, -HOUR, 30 * HOUR, -30 * HOUR, 0][step % 5]).await;
    }
    publishers.join_all().await;
    for channel in ["p0", "p1"] {
        let answer = nginx.get(&format!("/stamps/{channel}.b999")).await;
        let mut last = (String::new(), 0);
        let mut count = 0;
        for message in answer.text().split_terminator('|') {
            let mut parts = message.split(';');
            let time = httpdate::parse_http_date(parts.next().expect("a time")).expect("a time");
            let second = time.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
            let tag: u64 = parts.next().and_then(|tag| tag.parse().ok()).expect("a tag");
            let stamp = (format!("{second:012}"), tag);
            assert!(stamp > last, "{channel}: {stamp:?} after {last:?}");
            last = stamp;
            count += 1;
            assert_eq!(parts.next(), Some(count.to_string().as_str()));
        }
        assert_eq!(count, 500);
    }
}
