//! A client that speaks HTTP/2 in frames made by hand, so that it can also behave badly.

use super::{Nginx, Raw};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const CANCEL: u32 = 8;

const LARGEST_WINDOW: u32 = (1 << 31) - 1;
const LARGEST_FRAME: u32 = (1 << 24) - 1;

/// One connection. Flow control never holds the server back: its windows are as large as they get.
pub struct Http2 {
    raw: Raw,
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Http2 {
    pub async fn connect(nginx: &Nginx) -> Self {
        Self::begin(Raw::connect(nginx.http2_port()).await).await
    }

    /// A client whose kernel takes little.
    pub async fn with_small_window(nginx: &Nginx) -> Self {
        Self::begin(Raw::with_small_window(nginx.http2_port()).await).await
    }

    async fn begin(raw: Raw) -> Self {
        let mut settings = Vec::new();
        for (id, value) in [(INITIAL_WINDOW_SIZE, LARGEST_WINDOW), (MAX_FRAME_SIZE, LARGEST_FRAME)]
        {
            settings.extend(id.to_be_bytes());
            settings.extend(value.to_be_bytes());
        }
        let mut client = Self { raw };
        client.raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        client.send(SETTINGS, 0, 0, &settings).await;
        client.send(WINDOW_UPDATE, 0, 0, &(LARGEST_WINDOW - 65_535).to_be_bytes()).await;
        client
    }

    /// Sends a GET request as the given stream.
    pub async fn get(&mut self, stream: u32, path: &str) {
        let fields =
            [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "localhost")];
        let mut block = Vec::new();
        for (name, value) in fields {
            // A literal field without indexing, both strings as they are.
            block.push(0);
            for text in [name, value] {
                block.push(u8::try_from(text.len()).ok().filter(|&n| n < 127).expect("short"));
                block.extend(text.as_bytes());
            }
        }
        self.send(HEADERS, END_STREAM | END_HEADERS, stream, &block).await;
    }

    /// Gives up a stream.
    pub async fn reset(&mut self, stream: u32) {
        self.send(RST_STREAM, 0, stream, &CANCEL.to_be_bytes()).await;
    }

    /// The first field of a response head, which for 200 is one byte of the static table.
    pub async fn expect_ok(&mut self, stream: u32) {
        loop {
            let frame = self.frame().await;
            if frame.kind == HEADERS && frame.stream == stream {
                // nginx begins with an update of the table's size, to 0.
                let field = frame.payload.iter().find(|&&byte| byte != 0x20);
                assert_eq!(field, Some(&0x88), "not `:status: 200`");
                return;
            }
        }
    }

    /// What the next DATA frame of a stream holds; none if it is empty and the last.
    pub async fn data(&mut self, stream: u32) -> Option<Vec<u8>> {
        loop {
            let frame = self.frame().await;
            assert_ne!(frame.kind, RST_STREAM, "the server reset stream {}", frame.stream);
            if frame.kind == DATA && frame.stream == stream {
                let last = frame.flags & END_STREAM != 0;
                assert!(!last || frame.payload.is_empty(), "the end is a frame of its own");
                return (!last).then_some(frame.payload);
            }
        }
    }

    /// The next bytes of a stream must be these.
    pub async fn expect(&mut self, stream: u32, text: &str) {
        let mut seen = Vec::new();
        while seen.len() < text.len() {
            seen.extend(self.data(stream).await.expect("more of the stream"));
        }
        assert_eq!(String::from_utf8_lossy(&seen), text);
    }

    /// Waits until the server says that it takes no more streams. The last one that it serves.
    pub async fn goaway(&mut self) -> u32 {
        loop {
            let frame = self.frame().await;
            if frame.kind == GOAWAY {
                let last = frame.payload[..4].try_into().expect("a stream's number");
                return u32::from_be_bytes(last);
            }
        }
    }

    /// The server closes the connection, and sends nothing more on it.
    pub async fn expect_close(&mut self) {
        self.raw.expect_close().await;
    }

    /// Every byte up to the answer to a PING, which comes behind all that was being sent, or up to
    /// the close.
    pub async fn everything(&mut self) -> Vec<u8> {
        let token = b"the end?";
        self.send(PING, 0, 0, token).await;
        let mut bytes = Vec::new();
        while !bytes.ends_with(token) {
            match self.raw.some().await {
                Some(more) => bytes.extend(more),
                None => break,
            }
        }
        bytes
    }

    async fn frame(&mut self) -> Frame {
        let head = self.raw.exactly(9).await;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let payload = self.raw.exactly(length).await;
        if head[3] == SETTINGS && head[4] & ACK == 0 {
            self.send(SETTINGS, ACK, 0, &[]).await;
        }
        Frame { kind: head[3], flags: head[4], stream, payload }
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.raw.send(frame).await;
    }
}
