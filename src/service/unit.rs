//! A unit of systemd, quoted by its rules: systemd.syntax(7), systemd.service(5), systemd.exec(5).

use super::Program;
use std::path::Path;
use tidemill_pipeline::{Error, Result};

/// Which systemd runs it.
#[derive(Debug, Clone)]
pub(crate) enum Whose {
    /// The one of the user who asks.
    User,
    /// The one of the machine, as this user.
    System(String),
}

/// The unit's text.
///
/// # Errors
/// When a path cannot be written in a unit.
pub(crate) fn unit(program: &Program, whose: &Whose) -> Result<String> {
    let Program { name, path, folder, home, .. } = program;
    // systemd refuses these in the path of a program, however they are written.
    if path.contains(['"', '\'', '\\']) {
        return Err(unfit(path, "a quote or a backslash"));
    }
    // This setting is taken as it stands, and a backslash at the end of a line joins lines.
    if folder.ends_with(|c: char| c.is_whitespace() || c == '\\') {
        return Err(unfit(folder, "a space or a backslash at its end"));
    }
    let command: Vec<_> = std::iter::once(quoted(&percent(path)))
        .chain(program.arguments.iter().map(|argument| quoted(&dollar(&percent(argument)))))
        .collect();
    let variable = |(name, value): &(&str, String)| {
        format!("Environment={}\n", quoted(&percent(&format!("{name}={value}"))))
    };
    let (network, user, target) = match whose {
        Whose::User => ("", String::new(), "default.target"),
        Whose::System(user) => (NETWORK, running_as(user), "multi-user.target"),
    };
    Ok([
        head(program, whose),
        format!("[Unit]\nDescription=tidemill: the mill in {} ({name})\n", percent(home)),
        network.into(),
        is_there(home),
        program.archive.as_deref().map(mounts).unwrap_or_default(),
        format!("\n[Service]\nType=notify\n{user}WorkingDirectory={}\n", percent(folder)),
        program.environment.iter().map(variable).collect(),
        format!("ExecStart={}\n", command.join(" ")),
        HOW.into(),
        format!("\n[Install]\nWantedBy={target}\n"),
    ]
    .concat())
}

const NETWORK: &str = "Wants=network-online.target\nAfter=network-online.target time-sync.target\n";

/// A disk that is not mounted must not get a new, empty mill at its place.
fn is_there(home: &str) -> String {
    let ledger = format!("{}/tidemill.db", percent(home));
    format!(
        "# Made by the first run, or by `digest --daily`; while its disk is away, nothing starts.\nAssertPathExists={ledger}\n"
    )
}

/// How it starts, stops, and is watched.
const HOW: &str = "\
TimeoutStartSec=10min
# It says that it is alive as long as its schedules are looked after.
WatchdogSec=3min
# What is in hand is finished first. What is cut off here goes on at the next start.
KillSignal=SIGTERM
KillMode=mixed
TimeoutStopSec=5min
# 1: done, with parked items. 2: refused, and it would be again; see the log, then start it.
# 75: the home is in use by another program; it is tried again until that one has ended.
SuccessExitStatus=1
Restart=on-failure
RestartSec=30s
RestartPreventExitStatus=2
# Others on this machine come first.
Nice=10
IOSchedulingClass=best-effort
IOSchedulingPriority=7
NoNewPrivileges=yes
";

/// How to install it.
fn head(program: &Program, whose: &Whose) -> String {
    let name = &program.name;
    let (place, control, log, more) = match whose {
        Whose::User => (
            format!("~/.config/systemd/user/{name}.service"),
            "systemctl --user",
            "journalctl --user",
            "#   loginctl enable-linger        # so that it runs though nobody is logged in\n",
        ),
        Whose::System(_) => {
            (format!("/etc/systemd/system/{name}.service"), "sudo systemctl", "sudo journalctl", "")
        }
    };
    let warning = match program.is_build() {
        true => {
            "# WARNING: this program lies where cargo built it, and `cargo clean` takes it away.\n\
             # Better: `cargo install --path .`, and print this again with the installed one.\n"
        }
        false => "",
    };
    format!(
        "# Save this as {place}, then:\n\
         #   {control} daemon-reload\n\
         #   {control} enable --now {name}.service\n\
         {more}\
         # See how it is:\n\
         #   {control} status {name}.service\n\
         #   {log} -u {name}.service -f\n\
         {warning}\n"
    )
}

fn running_as(user: &str) -> String {
    let advice = if user == "root" { "# Better a user of its own than root.\n" } else { "" };
    format!("{advice}User={user}\n")
}

fn mounts(archive: &str) -> String {
    format!(
        "# The archive may be away: files wait on scratch until it is back. To let the service wait\n\
         # instead, and end with it:\n\
         #RequiresMountsFor={}\n",
        quoted(&percent(archive))
    )
}

/// The owner of the home, or of the folder that it will be made in: the user to run it as.
#[cfg(unix)]
pub(crate) fn owner(home: &Path) -> Result<String> {
    use std::os::unix::fs::MetadataExt as _;
    let there = home.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    let uid = there.metadata()?.uid().to_string();
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    // A user whom only a directory service knows is named by number; systemd takes that too.
    Ok(name_of(&uid, &known).unwrap_or(&uid).to_string())
}

#[cfg(not(unix))]
pub(crate) fn owner(_: &Path) -> Result<String> {
    Err(Error::halt("there is no systemd here").because("usage").help("leave --system out"))
}

/// The name that a line of passwd(5) has for a user number.
fn name_of<'a>(uid: &str, passwd: &'a str) -> Option<&'a str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then_some(name)
    })
}

fn unfit(path: &str, what: &str) -> Error {
    Error::halt(format!("no unit of systemd can name {path}: it has {what}"))
        .because("usage")
        .help("use a folder with another name")
}

/// One word, whatever is in it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// `%` begins a specifier.
fn percent(text: &str) -> String {
    text.replace('%', "%%")
}

/// `$` begins a variable, in all words of a command but the first.
fn dollar(text: &str) -> String {
    text.replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(path: &str, folder: &str) -> Program {
        Program {
            name: "news".into(),
            path: path.into(),
            arguments: vec!["serve".into(), "--home".into(), r#"/h "a" 5% $x \y"#.into()],
            folder: folder.into(),
            home: "/h 5%".into(),
            archive: Some("/mnt/my nas".into()),
            environment: vec![("OLLAMA_HOST", "http://a:1/%41 $x".into())],
        }
    }

    fn line<'a>(unit: &'a str, begin: &str) -> &'a str {
        unit.lines().find_map(|line| line.strip_prefix(begin)).unwrap_or_default()
    }

    #[test]
    fn each_setting_is_quoted_by_its_own_rules() {
        let unit = unit(&program("/opt/$p 1%/news", "/w \"5%\" $x"), &Whose::User).unwrap();
        let command = r#""/opt/$p 1%%/news" "serve" "--home" "/h \"a\" 5%% $$x \\y""#;
        assert_eq!(line(&unit, "ExecStart="), command);
        assert_eq!(line(&unit, "WorkingDirectory="), "/w \"5%%\" $x");
        assert_eq!(line(&unit, "Environment="), r#""OLLAMA_HOST=http://a:1/%%41 $x""#);
        assert_eq!(line(&unit, "#RequiresMountsFor="), "\"/mnt/my nas\"");
        assert_eq!(line(&unit, "Description="), "tidemill: the mill in /h 5%% (news)");
        assert!(!unit.contains("User=") && !unit.contains("network-online"), "{unit}");
    }

    #[test]
    fn what_systemd_cannot_name_is_refused() {
        for (path, folder) in [("/a\"b", "/"), ("/a\\b", "/"), ("/p", "/a "), ("/p", "/a\\")] {
            let error = unit(&program(path, folder), &Whose::User).unwrap_err();
            assert_eq!(error.reason(), "usage", "{path} {folder}");
        }
    }

    #[test]
    fn a_unit_of_the_machine_names_its_user() {
        let text = |user: &str| unit(&program("/p", "/"), &Whose::System(user.into())).unwrap();
        assert_eq!(line(&text("mill"), "User="), "mill");
        assert!(text("root").contains("Better a user of its own"));
        assert_eq!(line(&text("mill"), "WantedBy="), "multi-user.target");
        let passwd = "root:x:0:0::/:/bin/sh\nmill:x:1001:100::/:/bin/sh\n";
        assert_eq!(name_of("1001", passwd), Some("mill"));
        assert_eq!(name_of("100", passwd), None);
    }
}
