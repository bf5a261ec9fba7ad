//! The message template: the text a subscriber gets for one message.

use std::ops::Range;

use memchr::memchr;

use super::date;

/// One message as a template sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageView<'a> {
    /// Number of the message in its channel, or one of the synthetic ids below.
    pub id: i64,
    pub channel: &'a [u8],
    pub text: &'a [u8],
    /// Publication time in seconds since the epoch.
    pub time: u64,
    pub tag: u32,
    pub event_id: Option<&'a [u8]>,
    pub event_type: Option<&'a [u8]>,
    /// Whether it was published as bytes, not as text.
    pub binary: bool,
}

/// Id of a ping (TPL-1, DIR-112).
pub const PING_ID: i64 = -1;
/// Id of the message that tells subscribers that their channel was deleted (TPL-1, DIR-112).
pub const CHANNEL_DELETED_ID: i64 = -2;
/// Id of the message that tells a long poll that its time is up (LP-12, DIR-112).
pub const TIMED_OUT_ID: i64 = -3;

impl<'a> MessageView<'a> {
    /// The ping of a connection: it belongs to no channel (PING-2, PING-3).
    pub fn ping(text: &'a [u8]) -> Self {
        Self::synthetic(PING_ID, b"", text)
    }

    /// The farewell of a deleted channel (DEL-2, PUB-88).
    pub fn channel_deleted(channel: &'a [u8], text: &'a [u8]) -> Self {
        Self::synthetic(CHANNEL_DELETED_ID, channel, text)
    }

    /// The end of a long poll's time (LP-12).
    pub fn timed_out() -> Self {
        Self::synthetic(TIMED_OUT_ID, b"", b"Timed out")
    }

    /// The message with another time and tag.
    pub fn at(self, time: u64, tag: u32) -> Self {
        Self { time, tag, ..self }
    }

    fn synthetic(id: i64, channel: &'a [u8], text: &'a [u8]) -> Self {
        Self { id, channel, text, time: 0, tag: 0, event_id: None, event_type: None, binary: false }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Id,
    EventId,
    EventType,
    Channel,
    Text,
    Size,
    Tag,
    Time,
}

/// The eight tokens, in lower case; a template may write them in any (DIR-107).
const TOKENS: [(&[u8], Token); 8] = [
    (b"~id~", Token::Id),
    (b"~event-id~", Token::EventId),
    (b"~event-type~", Token::EventType),
    (b"~channel~", Token::Channel),
    (b"~text~", Token::Text),
    (b"~size~", Token::Size),
    (b"~tag~", Token::Tag),
    (b"~time~", Token::Time),
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// These bytes of the source, as they are.
    Literal(Range<usize>),
    Token(Token),
}

/// A message template, taken apart once at configuration time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: Box<[u8]>,
    parts: Box<[Part]>,
}

impl Template {
    /// Finds the tokens. Every source is a template: an unknown `~x~` and a stray `~` are literal,
    /// and the scan goes on with the byte after that `~` (DIR-109, DIR-111, TPL-4).
    pub fn parse(source: &[u8]) -> Template {
        let mut parts = Vec::new();
        let mut literal = 0;
        let mut next = 0;
        while let Some(offset) = memchr(b'~', &source[next..]) {
            let tilde = next + offset;
            let Some((name, token)) = token_at(&source[tilde..]) else {
                next = tilde + 1;
                continue;
            };
            if literal < tilde {
                parts.push(Part::Literal(literal..tilde));
            }
            parts.push(Part::Token(token));
            next = tilde + name.len();
            literal = next;
        }
        if literal < source.len() {
            parts.push(Part::Literal(literal..source.len()));
        }
        Template { source: source.into(), parts: parts.into() }
    }

    /// The template as it was configured.
    pub fn source(&self) -> &[u8] {
        &self.source
    }

    /// The exact number of bytes that [`render`](Self::render) appends for this message.
    pub fn rendered_len(&self, message: &MessageView<'_>) -> usize {
        self.parts.iter().map(|part| self.part_len(part, message)).sum()
    }

    /// Appends the message in this template's form.
    ///
    /// One pass: what is inserted is neither scanned again (TPL-3, DIR-110) nor escaped (TPL-2,
    /// DIR-119). Nothing is allocated when `out` has [`rendered_len`](Self::rendered_len) to spare.
    pub fn render(&self, message: &MessageView<'_>, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Literal(range) => out.extend_from_slice(&self.source[range.clone()]),
                Part::Token(token) => append(*token, message, out),
            }
        }
    }

    fn part_len(&self, part: &Part, message: &MessageView<'_>) -> usize {
        match part {
            Part::Literal(range) => range.len(),
            Part::Token(Token::Id) => {
                usize::from(message.id < 0) + decimal_len(message.id.unsigned_abs())
            }
            Part::Token(Token::EventId) => message.event_id.map_or(0, <[u8]>::len),
            Part::Token(Token::EventType) => message.event_type.map_or(0, <[u8]>::len),
            Part::Token(Token::Channel) => message.channel.len(),
            Part::Token(Token::Text) => message.text.len(),
            Part::Token(Token::Size) => decimal_len(message.text.len() as u64),
            Part::Token(Token::Tag) => decimal_len(u64::from(message.tag)),
            Part::Token(Token::Time) => date::HTTP_LEN,
        }
    }
}

/// What a token stands for (TPL-1, DIR-112..117), in 64 bits (DIR-118).
fn append(token: Token, message: &MessageView<'_>, out: &mut Vec<u8>) {
    match token {
        Token::Id => append_decimal(message.id, out),
        Token::EventId => out.extend_from_slice(message.event_id.unwrap_or_default()),
        Token::EventType => out.extend_from_slice(message.event_type.unwrap_or_default()),
        Token::Channel => out.extend_from_slice(message.channel),
        Token::Text => out.extend_from_slice(message.text),
        Token::Size => append_decimal(message.text.len(), out),
        Token::Tag => append_decimal(message.tag, out),
        Token::Time => date::append_http(message.time, out),
    }
}

fn append_decimal(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn decimal_len(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |exponent| exponent as usize + 1)
}

fn token_at(source: &[u8]) -> Option<(&'static [u8], Token)> {
    TOKENS.into_iter().find(|(name, _)| {
        source.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MESSAGE: MessageView<'static> = MessageView {
        id: 42,
        channel: b"news",
        text: b"hello",
        time: 1_795_289_129,
        tag: 7,
        event_id: Some(b"ev"),
        event_type: Some(b"ty"),
        binary: false,
    };

    fn render(template: &[u8], message: &MessageView<'_>) -> String {
        let template = Template::parse(template);
        let mut out = b">".to_vec();
        template.render(message, &mut out);
        assert_eq!(out.len() - 1, template.rendered_len(message));
        String::from_utf8(out.split_off(1)).unwrap()
    }

    #[test]
    fn each_token() {
        // TPL-1, DIR-107, DIR-112..117
        let all = b"~id~|~channel~|~text~|~size~|~time~|~tag~|~event-id~|~event-type~";
        assert_eq!(render(all, &MESSAGE), "42|news|hello|5|Sat, 21 Nov 2026 19:25:29 GMT|7|ev|ty");
    }

    #[test]
    fn tokens_match_in_any_case() {
        // TPL-1, DIR-107
        assert_eq!(render(b"~ID~ ~Event-ID~ ~SIZE~ ~tExT~", &MESSAGE), "42 ev 5 hello");
    }

    #[test]
    fn literal_tildes() {
        // TPL-4, DIR-109
        assert_eq!(render(b"~id~text~", &MESSAGE), "42text~");
        assert_eq!(render(b"~foo~text~", &MESSAGE), "~foohello");
        assert_eq!(render(b"~~text~", &MESSAGE), "~hello");
        assert_eq!(render(b"~~text~~", &MESSAGE), "~hello~");
        assert_eq!(render(b"~text", &MESSAGE), "~text");
        assert_eq!(render(b"~", &MESSAGE), "~");
        assert_eq!(render(b"~text ~", &MESSAGE), "~text ~");
        assert_eq!(render(b"~event-~id~", &MESSAGE), "~event-42");
    }

    #[test]
    fn any_number_of_tokens() {
        // TPL-1, DIR-111
        assert_eq!(render(b"~text~~text~ ~text~", &MESSAGE), "hellohello hello");
        assert_eq!(render(b"always this", &MESSAGE), "always this");
        assert_eq!(render(b"", &MESSAGE), "");
    }

    #[test]
    fn expansion_is_a_single_pass_without_escaping() {
        // TPL-2, TPL-3, DIR-110, DIR-119; a `$` is no variable (SUB-15)
        let message = MessageView { text: b"~id~\"<&$uri", channel: b"~text~", ..MESSAGE };
        assert_eq!(render(b"$uri ~channel~ ~text~", &message), "$uri ~text~ ~id~\"<&$uri");
    }

    #[test]
    fn absent_event_fields_are_empty() {
        // TPL-1, DIR-116
        let message = MessageView { event_id: None, event_type: None, ..MESSAGE };
        assert_eq!(render(b"[~event-id~][~event-type~]", &message), "[][]");
    }

    #[test]
    fn synthetic_messages() {
        // PING-2, DEL-2, PUB-88, DIR-112..116
        let all = b"~id~|~channel~|~text~|~size~|~time~|~tag~|~event-id~|~event-type~";
        assert_eq!(
            render(all, &MessageView::ping(b" ")),
            "-1|| |1|Thu, 01 Jan 1970 00:00:00 GMT|0||"
        );
        assert_eq!(
            render(all, &MessageView::channel_deleted(b"c", b"Channel deleted")),
            "-2|c|Channel deleted|15|Thu, 01 Jan 1970 00:00:00 GMT|0||"
        );
    }

    #[test]
    fn numbers_beyond_31_bits() {
        // DIR-118
        let message = MessageView { id: i64::MAX, tag: u32::MAX, ..MESSAGE };
        assert_eq!(render(b"~id~ ~tag~", &message), "9223372036854775807 4294967295");
        assert_eq!(render(b"~id~", &MessageView { id: 0, ..MESSAGE }), "0");
        let message = MessageView { id: i64::MIN, time: u64::MAX, ..MESSAGE };
        assert_eq!(
            render(b"~id~ ~time~", &message),
            "-9223372036854775808 Fri, 31 Dec 9999 23:59:59 GMT"
        );
    }

    #[test]
    fn lengths_of_numbers() {
        for number in [0, 1, 9, 10, 99, 100, 999_999_999, 1_000_000_000, u64::MAX] {
            assert_eq!(decimal_len(number), number.to_string().len());
        }
    }

    #[test]
    fn the_source_is_kept() {
        assert_eq!(Template::parse(b"a~ID~\0").source(), b"a~ID~\0");
        assert_ne!(Template::parse(b"~ID~"), Template::parse(b"~id~"));
    }

    /// The rules once more, byte by byte and without care for speed.
    fn expand_slowly(mut source: &[u8], message: &MessageView<'_>) -> Vec<u8> {
        let values: [(&str, Vec<u8>); 8] = [
            ("~id~", message.id.to_string().into()),
            ("~channel~", message.channel.into()),
            ("~text~", message.text.into()),
            ("~size~", message.text.len().to_string().into()),
            ("~tag~", message.tag.to_string().into()),
            ("~time~", {
                let time = std::time::Duration::from_secs(message.time);
                httpdate::fmt_http_date(std::time::UNIX_EPOCH + time).into()
            }),
            ("~event-id~", message.event_id.unwrap_or_default().into()),
            ("~event-type~", message.event_type.unwrap_or_default().into()),
        ];
        let mut out = Vec::new();
        while let [byte, rest @ ..] = source {
            let found = values
                .iter()
                .find(|(name, _)| source.to_ascii_lowercase().starts_with(name.as_bytes()));
            if let Some((name, value)) = found {
                out.extend_from_slice(value);
                source = &source[name.len()..];
            } else {
                out.push(*byte);
                source = rest;
            }
        }
        out
    }

    fn any_source() -> impl Strategy<Value = Vec<u8>> {
        let names = TOKENS.map(|(name, _)| name.to_vec());
        let piece = prop_oneof![
            4 => prop::sample::select(names.to_vec()),
            1 => prop::sample::select(names.to_vec()).prop_map(|name| name.to_ascii_uppercase()),
            2 => Just(b"~".to_vec()),
            2 => prop::collection::vec(any::<u8>(), 0..8),
            1 => "[a-z~-]{0,6}".prop_map(String::into_bytes),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_message_in_any_template(
            source in any_source(),
            id: i64,
            channel: Vec<u8>,
            text: Vec<u8>,
            time in 0u64..=253_402_300_799,
            tag: u32,
            event_id: Option<Vec<u8>>,
            event_type: Option<Vec<u8>>,
        ) {
            // TPL-1..5, DIR-107..119
            let message = MessageView {
                id,
                channel: &channel,
                text: &text,
                time,
                tag,
                event_id: event_id.as_deref(),
                event_type: event_type.as_deref(),
                binary: false,
            };
            let template = Template::parse(&source);
            let len = template.rendered_len(&message);
            let mut out = Vec::with_capacity(len);
            let capacity = out.capacity();
            template.render(&message, &mut out);
            prop_assert_eq!(out.len(), len);
            prop_assert_eq!(out.capacity(), capacity);
            prop_assert_eq!(out, expand_slowly(&source, &message));
        }
    }
}
