//! What a client offers in `Sec-WebSocket-Extensions` (RFC 6455 section 9.1).

/// An extension with its parameters, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer<'l> {
    name: &'l str,
    pub parameters: Vec<(&'l str, Option<String>)>,
}

impl Offer<'_> {
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The offers of one header line; `None` if it breaks the grammar, then nothing of it is taken. A value
/// in quotes counts as what it stands for, which must be a token.
pub fn offers(line: &[u8]) -> Option<Vec<Offer<'_>>> {
    let mut rest = Rest(std::str::from_utf8(line).ok()?);
    let mut offers = Vec::new();
    loop {
        // RFC 9110 section 5.6.1 has recipients accept empty elements.
        while rest.takes(',') {}
        if rest.is_empty() {
            return Some(offers);
        }
        let mut offer = Offer { name: rest.token()?, parameters: Vec::new() };
        while rest.takes(';') {
            let name = rest.token()?;
            let value = match rest.takes('=') {
                true => Some(rest.value()?),
                false => None,
            };
            offer.parameters.push((name, value));
        }
        offers.push(offer);
        if !rest.is_empty() && !rest.takes(',') {
            return None;
        }
    }
}

/// What is not read yet. Blanks before anything are skipped.
struct Rest<'l>(&'l str);

impl<'l> Rest<'l> {
    fn skip_blanks(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn is_empty(&mut self) -> bool {
        self.skip_blanks();
        self.0.is_empty()
    }

    fn takes(&mut self, sign: char) -> bool {
        self.skip_blanks();
        let rest = self.0.strip_prefix(sign);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn token(&mut self) -> Option<&'l str> {
        self.skip_blanks();
        let end = self.0.bytes().position(|byte| !is_token(byte)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    fn value(&mut self) -> Option<String> {
        if !self.takes('"') {
            return self.token().map(str::to_owned);
        }
        let mut value = String::new();
        let mut signs = self.0.char_indices();
        while let Some((at, sign)) = signs.next() {
            let sign = match sign {
                '"' => {
                    self.0 = &self.0[at + 1..];
                    return (!value.is_empty() && value.bytes().all(is_token)).then_some(value);
                }
                '\\' => signs.next()?.1,
                sign => sign,
            };
            value.push(sign);
        }
        None
    }
}

/// A byte of an HTTP token (RFC 9110 section 5.6.2).
pub fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> Option<Vec<String>> {
        let shown = |offer: &Offer<'_>| {
            let parameters = offer.parameters.iter().map(|(name, value)| match value {
                Some(value) => format!(";{name}={value}"),
                None => format!(";{name}"),
            });
            [offer.name.to_owned()].into_iter().chain(parameters).collect()
        };
        offers(line.as_bytes()).map(|offers| offers.iter().map(shown).collect())
    }

    #[test]
    fn lists() {
        for (line, expected) in [
            ("", &[][..]),
            ("a", &["a"]),
            (" a ;\tb = 1 ; c,, d ", &["a;b=1;c", "d"]),
            ("a; b=\"1\\5\"; c", &["a;b=15;c"]),
        ] {
            assert_eq!(
                shown(line).as_deref(),
                Some(&expected.iter().map(|s| s.to_string()).collect::<Vec<_>>()[..]),
                "{line}"
            );
        }
    }

    #[test]
    fn what_is_no_list() {
        for line in [
            "a b",
            ";a",
            "a;",
            "a;;b",
            "a;b=",
            "a;b=\"",
            "a;b=\"1",
            "a;b=\"\"",
            "a;b=\"1, c\"",
            "a=1",
            "a;b=1\"",
            "a/b",
            "\u{e9}",
        ] {
            assert_eq!(shown(line), None, "{line}");
        }
        assert_eq!(offers(b"a\xff"), None);
    }
}
