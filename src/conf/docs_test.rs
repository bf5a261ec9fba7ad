//! `docs/directives.md` says of each directive what the table says.

use std::collections::BTreeMap;

use super::directives::{Contexts, DIRECTIVES, Directive};

/// What one section of the document says in its table, and its examples.
#[derive(Debug, Default, PartialEq, Eq)]
struct Section {
    syntax: String,
    default: String,
    context: String,
    examples: usize,
}

/// The sections named after a directive; other headings are text around them.
fn sections(document: &str) -> BTreeMap<&str, Section> {
    let mut sections = BTreeMap::new();
    let mut name = "";
    for line in document.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            name = heading;
            if name.starts_with("push_stream_") {
                let twice = sections.insert(name, Section::default());
                assert_eq!(twice, None, "{name} has two sections");
            }
        } else if line.starts_with("# ") {
            name = "";
        }
        let Some(section) = sections.get_mut(name) else { continue };
        let cell =
            |row: &str| Some(line.strip_prefix(row)?.strip_suffix(" |")?.replace("\\|", "|"));
        let rows = [
            ("| **Syntax** | ", &mut section.syntax),
            ("| **Default** | ", &mut section.default),
            ("| **Context** | ", &mut section.context),
        ];
        for (row, value) in rows {
            if let Some(cell) = cell(row) {
                assert_eq!(value, "", "{name} has two rows {row}");
                *value = cell;
            }
        }
        section.examples += usize::from(line == "```nginx");
    }
    sections
}

/// What the table says, as the document has to write it.
fn expected(directive: &Directive) -> [String; 3] {
    let syntax = format!("`{}`", [directive.name(), directive.syntax].join(" ").trim_end());
    let default = match directive.default {
        "" => "—".to_owned(),
        default => format!("`{default}`"),
    };
    let contexts = [
        (Contexts::HTTP, "http"),
        (Contexts::SERVER, "server"),
        (Contexts::LOCATION, "location"),
        (Contexts::IF, "if in location"),
    ];
    let contexts =
        contexts.into_iter().filter(|(context, _)| directive.contexts.contains(*context));
    [syntax, default, contexts.map(|(_, name)| name).collect::<Vec<_>>().join(", ")]
}

#[test]
fn every_directive_is_documented_as_it_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/directives.md");
    let document = std::fs::read_to_string(path).expect("docs/directives.md");
    let mut sections = sections(&document);
    let mut wrong = Vec::new();
    for directive in &DIRECTIVES {
        let name = directive.name();
        let Some(section) = sections.remove(name) else {
            wrong.push(format!("{name} has no section"));
            continue;
        };
        let [syntax, default, context] = expected(directive);
        for (row, table, document) in [
            ("Syntax", syntax, section.syntax),
            ("Default", default, section.default),
            ("Context", context, section.context),
        ] {
            if table != document {
                wrong.push(format!("{name}: {row} is {table}, the document says {document}"));
            }
        }
        if section.examples == 0 {
            wrong.push(format!("{name} has no example"));
        }
    }
    wrong.extend(sections.keys().map(|name| format!("{name} is documented and does not exist")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_document_is_taken_apart() {
    let document = "# Group\n## push_stream_a\n| **Syntax** | `push_stream_a on \\| off` |\n\
                    | **Default** | — |\n| **Context** | http |\n```nginx\n```\n## Notes\n\
                    | **Syntax** | none |\n";
    let section = Section {
        syntax: "`push_stream_a on | off`".into(),
        default: "—".into(),
        context: "http".into(),
        examples: 1,
    };
    assert_eq!(sections(document), BTreeMap::from([("push_stream_a", section)]));
}
