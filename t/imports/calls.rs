//! Which file of a layer calls methods of which, by their names: a method's place is known where the layer defines
//! its name once. What is ambiguous is listed, and what the standard library has too says nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};

use crate::graph::{Module, is_test};

/// Names that methods of the standard library's types have.
const STANDARD: &[&str] = &[
    "add", "advance", "append", "cast", "clear", "contains", "end", "extend", "find", "first",
    "front", "get", "hash", "insert", "is_empty", "iter", "kind", "last", "len", "load", "lock",
    "map", "new", "next", "position", "push", "read", "remove", "replace", "send", "set", "split",
    "start", "store", "sub", "take", "write",
];

#[derive(Default)]
struct File {
    /// Methods that it defines, in `impl` blocks of any type.
    defines: BTreeSet<String>,
    calls: BTreeSet<String>,
}

pub struct Calls {
    pub graph: BTreeMap<Module, BTreeSet<Module>>,
    /// Names that more than one file defines, and that are called.
    pub ambiguous: BTreeMap<String, BTreeSet<Module>>,
}

/// The calls within a layer, tests left out.
pub fn within(src: &Path, layer: &str) -> Calls {
    let mut files = BTreeMap::new();
    read(&src.join(layer), &[], &mut files);
    let mut places = BTreeMap::<_, BTreeSet<_>>::new();
    for (module, file) in &files {
        for name in &file.defines {
            places.entry(name.clone()).or_default().insert(module.clone());
        }
    }
    places.retain(|name, _| !STANDARD.contains(&name.as_str()));
    let called: BTreeSet<_> = files.values().flat_map(|file| &file.calls).collect();
    let graph = files.iter().map(|(module, file)| {
        let targets = file.calls.iter().filter_map(|name| places.get(name));
        let targets = targets.filter(|places| places.len() == 1).flatten();
        (module.clone(), targets.filter(|target| *target != module).cloned().collect())
    });
    let graph = graph.collect();
    places.retain(|name, places| places.len() > 1 && called.contains(name));
    Calls { graph, ambiguous: places }
}

fn read(dir: &Path, below: &[String], files: &mut BTreeMap<Module, File>) {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    for entry in entries {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if name == "tests" {
            continue;
        }
        let module = [below, std::slice::from_ref(&name)].concat();
        if path.is_dir() {
            read(&path, &module, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a file");
            let parsed = syn::parse_file(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let mut file = File::default();
            file.visit_file(&parsed);
            files.insert(module, file);
        }
    }
}

impl<'a> Visit<'a> for File {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        // A trait's methods are called by whoever knows the trait.
        if item.trait_.is_none() {
            let functions = item.items.iter().filter_map(|item| match item {
                syn::ImplItem::Fn(function) => Some(function.sig.ident.to_string()),
                _ => None,
            });
            self.defines.extend(functions);
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        self.calls.insert(call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &'a syn::ExprCall) {
        if let syn::Expr::Path(function) = &*call.func {
            if let (Some(name), true) =
                (function.path.segments.last(), function.path.segments.len() == 2)
            {
                self.calls.insert(name.ident.to_string());
            }
        }
        visit::visit_expr_call(self, call);
    }
}
