//! Every arrow points down: no file of `src/` uses another of its folder in a circle, and no layer uses one
//! above it. `scripts/imports` prints the graph.

mod calls;
mod graph;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use graph::Module;

/// From the top; docs/architecture.md.
const LAYERS: [&str; 7] = ["module", "http", "worker", "conf", "store", "protocol", "ngx_ext"];

fn src() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

/// The parts of a folder that use each other: its files and the folders in it, as wholes.
fn within(
    folder: &[String],
    imports: &BTreeMap<Module, BTreeSet<Module>>,
) -> BTreeMap<String, BTreeSet<String>> {
    let part = |module: &Module| {
        let inside = module.len() >= folder.len() && module[..folder.len()] == *folder;
        inside.then(|| module.get(folder.len()).cloned().unwrap_or_else(|| "mod".to_owned()))
    };
    let mut graph = BTreeMap::<String, BTreeSet<String>>::new();
    for (from, targets) in imports {
        let Some(from) = part(from) else { continue };
        let to = targets.iter().filter_map(part).filter(|to| *to != from);
        graph.entry(from.clone()).or_default().extend(to);
    }
    graph
}

/// Parts that reach each other, each such group once.
fn circles(graph: &BTreeMap<String, BTreeSet<String>>) -> Vec<BTreeSet<String>> {
    let reached = |from: &String| {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&String> = graph.get(from).into_iter().flatten().collect();
        while let Some(part) = next.pop() {
            if seen.insert(part.clone()) {
                next.extend(graph.get(part).into_iter().flatten());
            }
        }
        seen
    };
    let reach: BTreeMap<_, _> = graph.keys().map(|part| (part, reached(part))).collect();
    let mut found = BTreeSet::new();
    for (part, seen) in &reach {
        if seen.contains(*part) {
            let others = seen
                .iter()
                .filter(|other| reach.get(other).is_some_and(|back| back.contains(*part)));
            found.insert(others.cloned().collect::<BTreeSet<_>>());
        }
    }
    found.into_iter().collect()
}

fn folders(imports: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<Vec<String>> {
    imports.keys().flat_map(|module| (0..module.len()).map(|n| module[..n].to_vec())).collect()
}

#[test]
fn no_circles() {
    let imports = graph::imports(src());
    let mut found = Vec::new();
    for folder in folders(&imports) {
        for circle in circles(&within(&folder, &imports)) {
            found.push((format!("src/{}", folder.join("/")), circle));
        }
    }
    assert_eq!(found, [], "files that use each other in a circle");
}

/// Files whose methods call each other's in a circle, though their imports make none: `Transaction` has methods in
/// many files.
#[test]
fn no_circle_of_calls() {
    for layer in ["worker", "store"] {
        let calls = calls::within(src(), layer);
        let name = |module: &Module| module.join("/");
        let graph = calls
            .graph
            .iter()
            .map(|(from, targets)| (name(from), targets.iter().map(name).collect::<BTreeSet<_>>()));
        for (name, places) in &calls.ambiguous {
            let places: Vec<_> = places.iter().map(|place| place.join("/")).collect();
            println!("{layer}: {name} is ambiguous: {}", places.join(" "));
        }
        let found = circles(&graph.collect());
        assert_eq!(found, [], "files of {layer} whose methods call each other in a circle");
    }
}

#[test]
fn no_arrow_points_up() {
    let place = |module: &Module| {
        LAYERS.iter().position(|layer| module.first().is_some_and(|top| top == layer))
    };
    let mut found = Vec::new();
    for (from, targets) in graph::imports(src()) {
        for to in targets {
            if let (Some(a), Some(b)) = (place(&from), place(&to)) {
                if b < a {
                    found.push(format!("{} uses {}", from.join("/"), to.join("/")));
                }
            }
        }
    }
    assert!(found.is_empty(), "arrows that point up:\n{}", found.join("\n"));
}

/// What `scripts/imports` prints. Paths are led on through what a `mod.rs` passes on, or the graph would show
/// circles that are none and miss those that are.
#[test]
fn the_graph() {
    let imports = graph::imports(src());
    for (from, targets) in &imports {
        let targets: Vec<_> = targets.iter().map(|to| to.join("/")).collect();
        println!("{} -> {}", from.join("/"), targets.join(" "));
    }
    let module = |path: &str| path.split('/').map(str::to_owned).collect::<Module>();
    for (from, to) in [
        ("http/publisher", "worker/publish"),
        ("worker/publish", "store/operations/publish"),
        ("store/operations/publish", "store/model/mailbox"),
    ] {
        assert!(imports[&module(from)].contains(&module(to)), "{from} does not use {to}");
    }
}
