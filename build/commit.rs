//! Which commit sources are of, for `X-Nginx-PushStream-Commit`: a part of build.rs, tested by t/commit.rs.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The file in which `git archive` writes the commit and, in a second line, its date, as .gitattributes asks it to; in
/// a repository it has neither.
pub const FILE: &str = "COMMIT";

/// The commit of the sources in `root`: `named`, else what a source archive carries, else what git says. Git is
/// asked only where `root` is the top of a repository: sources that were unpacked inside another one are not its.
pub fn of(root: &Path, named: Option<&str>) -> Result<Option<String>, String> {
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        return match commit(named) {
            None => Err(format!("PUSH_STREAM_COMMIT={named} is no commit: 40 hex digits are")),
            known => Ok(known),
        };
    }
    let archived = fs::read_to_string(root.join(FILE)).ok();
    Ok(archived
        .and_then(|text| commit(text.lines().next()?))
        .or_else(|| commit(&git(root, &["HEAD"])?)))
}

/// The files that change when the repository's commit does, as far as there are any.
pub fn files(root: &Path) -> Vec<String> {
    let paths = git(root, &["--git-path", "HEAD", "--git-path", "logs/HEAD"]).unwrap_or_default();
    paths.lines().filter(|path| root.join(path).exists()).map(str::to_owned).collect()
}

fn commit(text: &str) -> Option<String> {
    let text = text.trim();
    let is_one = text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then(|| text.to_owned())
}

/// What `git rev-parse` prints, also about the repository of another user.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    root.join(".git").exists().then_some(())?;
    let mut git = Command::new("git");
    git.current_dir(root).env_remove("GIT_DIR").args(["-c", "safe.directory=*", "rev-parse"]);
    let output = git.args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok())?
}
