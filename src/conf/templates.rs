//! The templates of a location in the form of its mode, and the numbers of message templates.

use std::rc::Rc;

use super::error::CheckError;
use super::role::{Role, SubscriberMode};
use super::settings::LocationSettings;
use crate::protocol::sse_template;
use crate::protocol::template::Template;

/// How a message goes through its template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateKind {
    /// As a whole.
    Plain,
    /// Line by line, as an event (DIR-136).
    EventStream,
}

/// A message template and its number within this configuration: locations with the same template
/// of the same kind share one, so that a worker formats a message once for all of them (DIR-120).
#[derive(Clone)]
pub struct TemplateRef {
    pub index: usize,
    pub kind: TemplateKind,
    pub template: Rc<Template>,
}

/// The distinct message templates of a configuration.
#[derive(Default)]
pub struct TemplateTable(Vec<TemplateRef>);

impl TemplateTable {
    fn intern(&mut self, source: &[u8], kind: TemplateKind) -> TemplateRef {
        let same = |known: &&TemplateRef| known.kind == kind && known.template.source() == source;
        if let Some(known) = self.0.iter().find(same) {
            return known.clone();
        }
        let template = Rc::new(Template::parse(source));
        let new = TemplateRef { index: self.0.len(), kind, template };
        self.0.push(new.clone());
        new
    }
}

/// What a location sends around and for each message.
pub struct Texts {
    pub header: Vec<u8>,
    pub message: TemplateRef,
    pub footer: Vec<u8>,
}

impl Texts {
    /// Derives the texts from those configured, which stay as they are (DIR-64). A blank message
    /// template is refused, except that an event stream replaces it (DIR-80, DIR-134).
    pub fn resolve(
        role: Role,
        settings: &LocationSettings,
        table: &mut TemplateTable,
    ) -> Result<Self, CheckError> {
        let header = settings.header_template.as_deref().unwrap_or_default();
        let message = settings.message_template.as_deref().unwrap_or(b"~text~");
        let footer = settings.footer_template.as_deref().unwrap_or_default();
        match role {
            Role::Subscriber(SubscriberMode::EventSource) => Ok(Self {
                header: match header {
                    b"" => b": \n".to_vec(),
                    header => sse_template::comment(header),
                },
                message: table
                    .intern(&sse_template::message_template(message), TemplateKind::EventStream),
                footer: sse_template::comment(footer),
            }),
            _ if message.is_empty() => Err(CheckError::BlankMessageTemplate),
            _ => Ok(Self {
                header: header.to_vec(),
                message: table.intern(message, TemplateKind::Plain),
                footer: footer.to_vec(),
            }),
        }
    }
}

#[cfg(all(test, not(feature = "nginx")))]
mod tests {
    use super::*;
    use SubscriberMode::{EventSource, LongPolling, Polling, Streaming, WebSocket};

    #[test]
    fn equal_templates_share_a_number() {
        let mut table = TemplateTable::default();
        let first = table.intern(b"~text~", TemplateKind::Plain);
        let second = table.intern(b"~id~", TemplateKind::Plain);
        let again = table.intern(b"~text~", TemplateKind::Plain);
        let other_kind = table.intern(b"~text~", TemplateKind::EventStream);
        assert_eq!((first.index, second.index, again.index), (0, 1, 0));
        assert_eq!((other_kind.index, table.0.len()), (2, 3));
        assert!(Rc::ptr_eq(&first.template, &again.template));
        assert!(!Rc::ptr_eq(&first.template, &other_kind.template));
    }

    #[test]
    fn templates_take_the_form_of_the_mode() {
        // DIR-129, DIR-130, DIR-132..134
        let texts = |mode, header: &[u8], message: &[u8], footer: &[u8]| {
            let settings = LocationSettings {
                header_template: Some(header.to_vec()),
                message_template: Some(message.to_vec()),
                footer_template: Some(footer.to_vec()),
                ..Default::default()
            };
            let role = Role::Subscriber(mode);
            let texts = Texts::resolve(role, &settings, &mut TemplateTable::default()).unwrap();
            let shown = [&texts.header[..], texts.message.template.source(), &texts.footer];
            (shown.map(|text| String::from_utf8_lossy(text).into_owned()), texts.message.kind)
        };
        let owned = |texts: [&str; 3], kind| (texts.map(str::to_owned), kind);
        for mode in [Streaming, Polling, LongPolling, WebSocket] {
            let expected = owned(["h1\rh2", "<~text~>", "f"], TemplateKind::Plain);
            assert_eq!(texts(mode, b"h1\rh2", b"<~text~>", b"f"), expected);
        }
        let event = |expected| owned(expected, TemplateKind::EventStream);
        assert_eq!(
            texts(EventSource, b"h1\rh2", b"<~text~>", b"f"),
            event([": h1\n: h2\n", "data: <~text~>", ": f\n"])
        );
        assert_eq!(texts(EventSource, b"", b"", b""), event([": \n", "data: ~text~", ""]));
        assert_eq!(texts(EventSource, b"\r\n", b"x", b"\n"), event(["", "data: x", ""]));
    }
}
