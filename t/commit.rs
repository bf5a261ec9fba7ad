//! Which commit the build takes sources to be of (build/commit.rs): as the header tells it (STAT-21).

use std::fs;
use std::path::Path;
use std::process::Command;

#[path = "../build/commit.rs"]
mod commit;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const TEMPLATE: &str = "$Format:%H$\n$Format:%cI$\n";
const OTHER: &str = "0123456789abcdef0123456789ABCDEF01234567";

/// Runs git, whoever the tests run as; its output without the end of the line.
fn git(dir: &Path, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.current_dir(dir).env("GIT_CONFIG_GLOBAL", "/dev/null").env_remove("GIT_DIR");
    git.args(["-c", "user.name=a", "-c", "user.email=a@example.com"]).args(arguments);
    let output = git.output().expect("git runs");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

/// A repository with this one's attributes, and its one commit.
fn repository(dir: &Path) -> String {
    fs::create_dir_all(dir).expect("a directory");
    fs::copy(Path::new(ROOT).join(".gitattributes"), dir.join(".gitattributes")).expect("a copy");
    fs::write(dir.join(commit::FILE), TEMPLATE).expect("a file");
    git(dir, &["init", "--quiet"]);
    git(dir, &["add", "."]);
    git(dir, &["commit", "--quiet", "--message", "A commit"]);
    git(dir, &["rev-parse", "HEAD"])
}

/// The source archive of a repository, unpacked.
fn unpack(repository: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    let archive = to.join("archive.tar").display().to_string();
    git(repository, &["archive", "--output", &archive, "HEAD"]);
    let unpacked = Command::new("tar").args(["-xf", &archive]).current_dir(to).status();
    assert!(unpacked.expect("tar runs").success());
}

fn of(root: &Path) -> Option<String> {
    commit::of(root, None).expect("nothing is named")
}

/// STAT-21.
#[test]
fn of_a_repository() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    let known = repository(&first);
    assert_eq!(of(&first).as_ref(), Some(&known));

    // a later commit, told by a file that the build watches
    let files = commit::files(&first);
    assert!(!files.is_empty());
    let read = || files.iter().map(|file| fs::read(first.join(file)).expect("a file"));
    let before: Vec<_> = read().collect();
    git(&first, &["commit", "--quiet", "--allow-empty", "--message", "Another"]);
    assert!(of(&first).is_some_and(|later| later != known));
    assert!(!read().eq(before));

    // a work tree of the same repository
    git(&first, &["worktree", "add", "--quiet", &second.display().to_string(), &known]);
    assert_eq!(of(&second).as_ref(), Some(&known));
    assert!(!commit::files(&second).is_empty());
}

/// STAT-21.
#[test]
fn of_a_source_archive() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let known = repository(&dir.path().join("ours"));
    let unpacked = dir.path().join("unpacked");
    unpack(&dir.path().join("ours"), &unpacked);
    assert_eq!(of(&unpacked).as_ref(), Some(&known));
    assert!(commit::files(&unpacked).is_empty());
    // and when it was made, for packages
    let told = fs::read_to_string(unpacked.join(commit::FILE)).expect("the file");
    let date = git(&dir.path().join("ours"), &["log", "-1", "--format=%cI"]);
    assert_eq!(told, format!("{known}\n{date}\n"));

    // inside another repository, whose commit is not that of the sources
    let packages = dir.path().join("packages");
    repository(&packages);
    let inside = packages.join("module");
    unpack(&dir.path().join("ours"), &inside);
    assert_eq!(of(&inside).as_ref(), Some(&known));
    fs::remove_file(inside.join(commit::FILE)).expect("the file goes");
    assert_eq!(of(&inside), None);
}

/// STAT-21: nothing that says it.
#[test]
fn of_neither() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    assert_eq!(of(dir.path()), None);
    for text in
        ["", TEMPLATE, "$Format:%H$", "0123", &format!("{OTHER}0"), &OTHER.replace('0', "g")]
    {
        fs::write(dir.path().join(commit::FILE), text).expect("a file");
        assert_eq!(of(dir.path()), None, "{text}");
    }
    fs::create_dir(dir.path().join(".git")).expect("a directory");
    assert_eq!(of(dir.path()), None);
}

/// STAT-21: `PUSH_STREAM_COMMIT` goes before all, and is checked.
#[test]
fn as_named() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let known = repository(dir.path());
    let named = |text| commit::of(dir.path(), Some(text));
    assert_eq!(named(OTHER), Ok(Some(OTHER.to_owned())));
    assert_eq!(named(""), Ok(Some(known)));
    for text in ["unknown", "0123", "v1.0"] {
        let refused = named(text).expect_err(text);
        assert!(refused.contains(&format!("PUSH_STREAM_COMMIT={text} ")), "{refused}");
        assert!(refused.contains("40 hex digits"), "{refused}");
    }
}

/// The file that these sources carry is one that `git archive` fills, or has filled.
#[test]
fn file_of_these_sources() {
    let text = fs::read_to_string(Path::new(ROOT).join(commit::FILE)).expect("the file");
    let lines: Vec<_> = text.lines().collect();
    assert!(
        text == TEMPLATE || matches!(lines[..], [commit, _date] if commit.len() == 40),
        "{text}"
    );
}
