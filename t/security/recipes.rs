//! Every recipe of the page is a configuration that loads.

use crate::page::{Recipe, blocks};
use crate::support::tls::{CERTIFICATE, KEY, make_certificate};

/// The files and the privileged port that a test does not have.
fn with_what_is_there(recipe: &str, dir: &std::path::Path) -> String {
    let path = |name: &str| dir.join(name).display().to_string();
    recipe
        .replace("tls/push.example.com.crt", &path(CERTIFICATE))
        .replace("tls/push.example.com.key", &path(KEY))
        .replace("listen 443 ssl;", "listen 8080; listen 127.0.0.1:18443 ssl;")
}

#[test]
fn recipes_load() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    make_certificate(dir.path());
    let recipes = blocks("nginx");
    assert_eq!(recipes.len(), 9, "{recipes:?}");
    for (heading, recipe) in recipes {
        let checked = Recipe::of(&with_what_is_there(&recipe, dir.path())).builder.check();
        assert!(checked.ok, "{heading}: {}", checked.output);
    }
}
