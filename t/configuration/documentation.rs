//! The examples of docs/directives.md. Each is a piece of an `http` block.

use crate::accepted;
use crate::support::Nginx;

/// The lines of each ```` ```nginx ```` block, and the heading above it.
fn examples(document: &str) -> Vec<(&str, String)> {
    let mut examples = Vec::new();
    let mut heading = "";
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if line.starts_with('#') {
            heading = line;
        } else if line == "```nginx" {
            let example = lines.by_ref().take_while(|line| *line != "```");
            examples.push((heading, example.collect::<Vec<_>>().join("\n")));
        }
    }
    examples
}

/// Every example is a configuration that loads, together with locations of each role.
#[test]
fn examples_load() {
    const HEADER_FILE: &str = "push_stream_header_template_file ";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/directives.md");
    let document = std::fs::read_to_string(path).expect("docs/directives.md");
    let header = tempfile::NamedTempFile::new().expect("a temporary file");
    let examples = examples(&document);
    assert!(examples.len() >= 40, "{} examples", examples.len());
    for (heading, example) in examples {
        // The file of the example need not exist here.
        let example = match example.split_once(HEADER_FILE) {
            Some((before, after)) => {
                let (_, after) = after.split_once(';').expect("a semicolon");
                format!("{before}{HEADER_FILE}{};{after}", header.path().display())
            }
            None => example,
        };
        println!("{heading}\n{example}");
        let builder = Nginx::builder().http(&example);
        let has_zone = example.contains("push_stream_shared_memory_size");
        accepted(&if has_zone { builder.no_zone() } else { builder });
    }
}
