//! The file `secrets/notify` of a home: one target per line, for the eyes of one user only.

use super::Target;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use tidemill_pipeline::tier::atomic::Staged;
use tidemill_pipeline::{Error, Result, ResultExt as _};

const HEAD: &str = "\
# Where notices go, one target per line. The addresses are secrets: show them to nobody.
# NAME webhook|ntfy|ping URL [on=failed,parked,away,yield,done] [token=…]
";

/// The targets of a home; none when it has no such file.
///
/// # Errors
/// `secrets_open` when others may read the file, `notify_config` when a line is wrong: the line is
/// named by its number, what stands in it is not said.
pub(crate) fn read(home: &Path) -> Result<Vec<Target>> {
    targets(&path(home), &text(home)?)
}

/// Adds a target behind the others.
///
/// # Errors
/// When its name is taken, or as [`read`]; or when the file cannot be written.
pub(crate) fn add(home: &Path, target: &Target) -> Result<()> {
    let _turn = turn(home)?;
    let mut text = text(home)?;
    if targets(&path(home), &text)?.iter().any(|other| other.name == target.name) {
        return Err(Error::halt(format!("there is a target `{}` already", target.name))
            .because("usage")
            .help(format!("take another name, or first: notify rm {}", target.name)));
    }
    if text.is_empty() {
        text.push_str(HEAD);
    } else if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&target.line());
    text.push('\n');
    write(home, &text)
}

/// Takes a target out; says whether it was there. Other lines may be wrong.
///
/// # Errors
/// When the file cannot be read or written.
pub(crate) fn remove(home: &Path, name: &str) -> Result<bool> {
    let _turn = turn(home)?;
    let text = text(home)?;
    if name.starts_with('#') {
        return Ok(false); // no name but a comment
    }
    let is_it = |line: &&str| line.split_whitespace().next() == Some(name);
    let rest: String = text.split_inclusive('\n').filter(|line| !is_it(line)).collect();
    if rest.len() == text.len() {
        return Ok(false);
    }
    write(home, &rest).map(|()| true)
}

fn folder(home: &Path) -> PathBuf {
    home.join("secrets")
}

fn path(home: &Path) -> PathBuf {
    folder(home).join("notify")
}

fn targets(path: &Path, text: &str) -> Result<Vec<Target>> {
    let mut found: Vec<Target> = Vec::new();
    for (no, line) in (1..).zip(text.lines()) {
        let wrong = |why| {
            Error::halt(format!("line {no} of {}: {why}", path.display()))
                .because("notify_config")
                .help("write it as NAME webhook|ntfy|ping URL [on=failed,…] [token=…]")
        };
        let Some(target) = Target::parse(line).map_err(wrong)? else { continue };
        if found.iter().any(|other| other.name == target.name) {
            return Err(wrong("its name is that of a line before"));
        }
        found.push(target);
    }
    Ok(found)
}

/// What stands in the file; nothing when it is not there.
fn text(home: &Path) -> Result<String> {
    let path = path(home);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(unreadable(&path, error)),
    };
    // Asked of the open file, so that it cannot be another one by the time it is read.
    let meta = file.metadata().map_err(|error| unreadable(&path, error))?;
    private(&meta, &path, "600")?;
    let folder = folder(home);
    let meta = folder.metadata().map_err(|error| unreadable(&folder, error))?;
    private(&meta, &folder, "700")?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|error| unreadable(&path, error))?;
    Ok(text)
}

fn unreadable(path: &Path, error: std::io::Error) -> Error {
    Error::halt(format!("cannot read {}", path.display())).because("secrets").caused_by(error)
}

#[cfg(unix)]
fn private(meta: &Metadata, path: &Path, mode: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if meta.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(Error::halt(format!("others may read {path}, which is for secrets"))
        .because("secrets_open")
        .help(format!("chmod {mode} '{path}'")))
}

#[cfg(not(unix))]
fn private(_: &Metadata, _: &Path, _: &str) -> Result<()> {
    Ok(())
}

/// Makes the folder, and waits until no other program changes what is in it.
fn turn(home: &Path) -> Result<File> {
    let folder = folder(home);
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = match builder.create(&folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    };
    made.doing(format_args!("making {}", folder.display())).or_halt()?;
    let turn = File::open(&folder).doing(folder.display()).or_halt()?;
    private(&turn.metadata().map_err(|error| unreadable(&folder, error))?, &folder, "700")?;
    turn.lock().doing(format_args!("locking {}", folder.display())).or_halt()?;
    Ok(turn)
}

fn write(home: &Path, text: &str) -> Result<()> {
    let path = path(home);
    let mut staged = Staged::create(&path)?.private()?;
    staged.write_all(text.as_bytes()).doing(path.display()).or_halt()?;
    staged.commit_over()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::Kind;

    fn target(name: &str) -> Target {
        Target::new(name, Kind::Ntfy, "https://x.example/t0pic", None, Some("tk")).unwrap()
    }

    fn names(home: &Path) -> Vec<String> {
        read(home).unwrap().into_iter().map(|target| target.name).collect()
    }

    #[test]
    fn targets_come_and_go_and_comments_stay() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(names(home.path()), [""; 0]);
        assert!(!remove(home.path(), "a").unwrap());
        ["a", "b", "c"].iter().for_each(|name| add(home.path(), &target(name)).unwrap());
        assert_eq!(add(home.path(), &target("b")).unwrap_err().reason(), "usage");
        assert!(remove(home.path(), "b").unwrap());
        assert_eq!(names(home.path()), ["a", "c"]);
        let text = text(home.path()).unwrap();
        assert!(text.starts_with(HEAD), "{text}");
        assert_eq!(text.lines().count(), 4, "{text}");
    }

    #[test]
    fn a_wrong_line_can_be_removed_and_is_named_by_its_number() {
        let home = tempfile::tempdir().unwrap();
        add(home.path(), &target("a")).unwrap();
        write(home.path(), "# hi\n\nbad telegram https://x.example/t0pic\n").unwrap();
        let error = read(home.path()).unwrap_err();
        assert!(error.message().contains("line 3 of"), "{error}");
        assert!(!format!("{error:?}").contains("t0pic"), "{error}");
        assert!(add(home.path(), &target("b")).is_err());
        assert!(remove(home.path(), "bad").unwrap());
        add(home.path(), &target("b")).unwrap();
    }

    #[test]
    fn a_name_is_there_once() {
        let home = tempfile::tempdir().unwrap();
        add(home.path(), &target("a")).unwrap();
        let twice = "a ntfy https://x.example/1\na ntfy https://x.example/2\n";
        write(home.path(), twice).unwrap();
        assert!(read(home.path()).unwrap_err().message().contains("line 2 of"));
    }
}
