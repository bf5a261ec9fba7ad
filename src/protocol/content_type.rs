//! What a `Content-Type` says about a published body.

/// Whether bodies of this type are bytes rather than text: every type that is not text, JSON, XML,
/// JavaScript or a form, which HTTP clients send when nobody chose a type. Without a type it is text.
pub fn is_binary(content_type: Option<&[u8]>) -> bool {
    let Some(value) = content_type else { return false };
    let media = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let media = media.to_ascii_lowercase();
    const TEXT: [&[u8]; 5] = [
        b"application/json",
        b"application/xml",
        b"application/javascript",
        b"application/x-ndjson",
        b"application/x-www-form-urlencoded",
    ];
    let is_text = media.is_empty()
        || media.starts_with(b"text/")
        || media.ends_with(b"+json")
        || media.ends_with(b"+xml")
        || TEXT.contains(&media.as_slice());
    !is_text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_other_types_are_binary() {
        for text in [
            "",
            "text/plain",
            "Text/HTML; charset=utf-8",
            "application/json",
            "application/vnd.api+JSON ; x=y",
            "image/svg+xml",
            "application/x-www-form-urlencoded",
        ] {
            assert!(!is_binary(Some(text.as_bytes())), "{text}");
        }
        assert!(!is_binary(None));
        for bytes in ["application/octet-stream", "image/png", "application/x-protobuf; v=1", "x"] {
            assert!(is_binary(Some(bytes.as_bytes())), "{bytes}");
        }
    }
}
