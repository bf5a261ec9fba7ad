//! Which file of `src/` uses which, as their paths say it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};

/// A module by its path below the crate: `["store", "model", "channel"]`.
pub type Module = Vec<String>;

/// What a file says of itself.
#[derive(Default)]
struct File {
    /// Names it passes on, and the path to each.
    reexports: BTreeMap<String, Vec<String>>,
    /// Modules whose content it passes on as a whole.
    globs: Vec<Vec<String>>,
    /// Paths that begin at the crate, all made absolute.
    paths: BTreeSet<Vec<String>>,
    /// Names that it takes in, and the path to each.
    names: BTreeMap<String, Vec<String>>,
    /// Paths that begin with a name.
    named: BTreeSet<Vec<String>>,
}

impl File {
    /// A path that begins with a name of this module's: one that was taken in, or a module in it.
    fn led_on(
        &self,
        module: &Module,
        path: &[String],
        files: &BTreeMap<Module, File>,
    ) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let child = || {
            let child = [&module[..], std::slice::from_ref(first)].concat();
            files.contains_key(&child).then_some(child)
        };
        let begin = self.names.get(first).cloned().or_else(child)?;
        Some([&begin[..], rest].concat())
    }
}

/// Every file's imports, those through a re-export led on to where the thing is defined.
pub fn imports(src: &Path) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut files = BTreeMap::new();
    read(src, &[], &mut files);
    files
        .iter()
        .map(|(module, file)| {
            let named = file.named.iter().filter_map(|path| file.led_on(module, path, &files));
            let targets = file.paths.iter().cloned().chain(named);
            let targets = targets.filter_map(|path| resolve(&path, &files));
            (module.clone(), targets.filter(|target| target != module).collect())
        })
        .collect()
}

fn read(dir: &Path, below: &[String], files: &mut BTreeMap<Module, File>) {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    for entry in entries {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let mut module = below.to_vec();
        if path.is_dir() {
            module.push(name);
            read(&path, &module, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests" {
            if name != "mod" && name != "lib" {
                module.push(name);
            }
            let text = fs::read_to_string(&path).expect("a file");
            let parsed = syn::parse_file(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let mut reader = Reader { module: &module, file: File::default() };
            reader.visit_file(&parsed);
            files.insert(module.clone(), reader.file);
        }
    }
}

/// The module that defines what a path names, as far as modules are files; follows re-exports.
fn resolve(path: &[String], files: &BTreeMap<Module, File>) -> Option<Module> {
    let mut path = path.to_vec();
    for _ in 0..8 {
        let at = (0..=path.len()).rev().find(|&n| files.contains_key(&path[..n]))?;
        let (module, rest) = path.split_at(at);
        let file = &files[module];
        let Some(name) = rest.first() else { return Some(module.to_vec()) };
        let passed_on = file.reexports.get(name).cloned().or_else(|| {
            let mut globs = file.globs.iter();
            globs
                .find(|glob| files.get(*glob).is_some_and(|file| file.reexports.contains_key(name)))
                .map(|glob| [&glob[..], std::slice::from_ref(name)].concat())
        });
        match passed_on {
            Some(further) => path = [&further[..], &rest[1..]].concat(),
            None => return Some(module.to_vec()),
        }
    }
    None
}

struct Reader<'m> {
    module: &'m Module,
    file: File,
}

impl Reader<'_> {
    /// Absolute, below the crate; `None` for what is of another crate.
    fn absolute(&self, path: &[String]) -> Option<Vec<String>> {
        let mut base = match path.first()?.as_str() {
            "crate" => Vec::new(),
            "self" => self.module.clone(),
            "super" => self.module[..self.module.len().saturating_sub(1)].to_vec(),
            _ => return None,
        };
        let mut rest = &path[1..];
        while rest.first().is_some_and(|part| part == "super") {
            base.pop();
            rest = &rest[1..];
        }
        Some([&base[..], rest].concat())
    }

    fn use_tree(&mut self, tree: &syn::UseTree, before: &[String], passes_on: bool) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => {
                self.use_tree(&path.tree, &with(&path.ident), passes_on);
            }
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.use_tree(tree, before, passes_on));
            }
            syn::UseTree::Name(name) if name.ident == "self" => {
                self.add(before, before.last(), passes_on)
            }
            syn::UseTree::Name(name) => {
                self.add(&with(&name.ident), Some(&name.ident.to_string()), passes_on)
            }
            syn::UseTree::Rename(rename) => {
                self.add(&with(&rename.ident), Some(&rename.rename.to_string()), passes_on);
            }
            syn::UseTree::Glob(_) => {
                if let Some(path) = self.absolute(before) {
                    match passes_on {
                        true => self.file.globs.push(path),
                        false => _ = self.file.paths.insert(path),
                    }
                }
            }
        }
    }

    fn add(&mut self, path: &[String], name: Option<&String>, passes_on: bool) {
        let (Some(path), Some(name)) = (self.absolute(path), name) else { return };
        match passes_on {
            true => _ = self.file.reexports.insert(name.clone(), path),
            false => {
                self.file.names.insert(name.clone(), path.clone());
                self.file.paths.insert(path);
            }
        }
    }
}

/// Only what the module itself is made of: no tests.
pub fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        list.path.is_ident("cfg") && list.tokens.to_string() == "test"
    })
}

impl<'a> Visit<'a> for Reader<'_> {
    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        if !is_test(&item.attrs) {
            let passes_on = !matches!(item.vis, syn::Visibility::Inherited);
            self.use_tree(&item.tree, &[], passes_on);
        }
    }

    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        if parts.len() > 1 {
            match self.absolute(&parts) {
                Some(path) => self.file.paths.insert(path),
                None => self.file.named.insert(parts),
            };
        }
        visit::visit_path(self, path);
    }
}
