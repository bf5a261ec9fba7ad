//! Messages whose content follows from a number of their own, so that a reader can tell a whole one
//! from one that is cut, mixed up or overwritten.

use ngx_http_push_stream_module::store::MessageRef;

const LEN_BITS: u32 = 14;

/// A number that no other message has, and that says how long this one is.
pub fn token(process: u32, counter: u32, len: usize) -> u64 {
    u64::from(process) << 40 | u64::from(counter & 0x3ff_ffff) << LEN_BITS | len as u64
}

fn len_of(token: u64) -> usize {
    (token & ((1 << LEN_BITS) - 1)) as usize
}

/// A message as it is published.
pub struct Composed {
    pub text: Vec<u8>,
    pub event_id: Option<[u8; 8]>,
    pub event_type: Option<&'static [u8]>,
    pub binary: bool,
}

/// The message that belongs to a token.
pub fn compose(token: u64) -> Composed {
    let number = token.to_le_bytes();
    let in_text = len_of(token) >= 8 && token % 3 != 0;
    let mut text: Vec<u8> =
        (0..len_of(token)).map(|i| (token >> LEN_BITS) as u8 ^ (i % 251) as u8).collect();
    if in_text {
        text[..8].copy_from_slice(&number);
    }
    Composed {
        text,
        event_id: (!in_text).then_some(number),
        event_type: (token % 5 == 0).then_some(b"kind"),
        binary: token % 2 == 0,
    }
}

/// The token of a message that was read. Panics unless the message is exactly what was published.
pub fn token_of(message: &MessageRef<'_>) -> u64 {
    let number = match message.event_id {
        Some(id) => id,
        None => message.text.get(..8).unwrap_or_default(),
    };
    let Ok(number) = number.try_into() else { panic!("a message without a token: {message:?}") };
    let token = u64::from_le_bytes(number);
    let whole = compose(token);
    let same = message.text == whole.text
        && message.event_id == whole.event_id.as_ref().map(|id| &id[..])
        && message.event_type == whole.event_type
        && message.binary == whole.binary;
    assert!(same, "message {} of {:?} is damaged", message.id, message.channel_id);
    token
}
