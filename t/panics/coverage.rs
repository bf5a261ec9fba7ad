//! That nothing nginx calls is left out here.

use std::fs;
use std::path::Path;

/// All sources below a directory of the crate.
fn sources(directory: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(directory)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(fs::read_to_string(path).expect("a source"));
            }
        }
    }
    found
}

/// Calls that hand the name on to a guard: what continues when a request's body is there.
const CONTINUED: [&str; 2] = ["body::read(", "subscribe("];

/// The names that guards are given: the first literal of a call.
fn names(source: &str) -> Vec<&str> {
    let calls = ["guard(", "guard_or(", "guarded(", "guarded_timer(", "dispatch("];
    let begin = |call: &str| source.match_indices(call).map(|(i, _)| i).collect::<Vec<_>>();
    let mut names = Vec::new();
    for i in calls.iter().chain(&CONTINUED).flat_map(|call| begin(call)) {
        let call = &source[i..];
        // Not a definition, nor a call that hands on what it was given.
        let Some((before, rest)) = call.split_once('"') else { continue };
        if before.contains(';') || before.contains('}') || before.contains("fn ") {
            continue;
        }
        names.push(rest.split_once('"').expect("the literal ends").0);
    }
    names
}

#[test]
fn every_guard_has_its_panics() {
    let tests = sources("t/panics").concat();
    let all = sources("src");
    let names: Vec<&str> = all.iter().flat_map(|source| names(source)).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        assert!(tests.contains(&format!("\"{name}: begin\"")), "no test panics in {name}");
    }
}

#[test]
fn every_callback_has_a_guard() {
    let mut callbacks = 0;
    for source in sources("src") {
        for (i, _) in source.match_indices("extern \"C\" fn ") {
            let definition = &source[i + "extern \"C\" fn ".len()..];
            let name = &definition[..definition.find(['(', '<']).expect("parameters")];
            let begin = source[..i].rfind('\n').map_or(0, |at| at + 1);
            let indent = source[begin..].len() - source[begin..].trim_start_matches(' ').len();
            let end = format!("\n{}}}\n", " ".repeat(indent));
            let body = definition.split_once(&end).expect("the function ends").0;
            assert!(body.contains("guard"), "{name} lets panics out");
            callbacks += 1;
        }
    }
    assert!(callbacks > 20, "{callbacks}");
}
