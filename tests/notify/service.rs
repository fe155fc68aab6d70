//! `service print`: what it prints is read by systemd and by a parser of property lists.
#![expect(clippy::expect_used, reason = "tests")]

use crate::support::program::{Ended, Place, ended};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The name of a folder that only careful quoting survives.
const ODD: &str = "a \"b\" 100% $HOME \\n 'é' <&>";

/// A program in a folder with an odd name, as far as systemd can name it.
struct Odd {
    folder: TempDir,
    program: PathBuf,
}

impl Odd {
    fn new() -> Self {
        // On the file system of the program: a second name of it costs nothing.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let own = folder.path().join("own 5% $HOME é");
        std::fs::create_dir_all(&own).unwrap();
        std::fs::create_dir_all(folder.path().join(ODD)).unwrap();
        let program = own.join("my-news");
        std::fs::hard_link(env!("CARGO_BIN_EXE_tidemill"), &program).unwrap();
        Self { folder, program }
    }

    fn odd(&self) -> String {
        self.folder.path().join(ODD).to_str().unwrap().to_string()
    }

    fn print(&self, how: &[&str]) -> Ended {
        let mut command = Command::new(&self.program);
        command
            .args(["service", "print", "--home", "home", "--archive", "archive"])
            .args(how)
            .current_dir(self.odd())
            .env("OLLAMA_HOST", "http://nas:11434/%41 \"x\" $y \\z")
            .env_remove("TIDEMILL_LOG")
            .env_remove("TZ");
        ended(command.output().unwrap()).code(0)
    }

    /// What the service is started with.
    fn words(&self) -> Vec<String> {
        let odd = self.odd();
        let [home, archive] = ["home", "archive"].map(|name| format!("{odd}/{name}"));
        let program = self.program.to_str().unwrap();
        [program, "serve", "--home", &home, "--archive", &archive].map(str::to_string).to_vec()
    }
}

/// The words of a line, by the rules of systemd.syntax(7) as far as they are used here.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line;
    while let Some(inside) = rest.trim_start().strip_prefix('"') {
        let (mut word, mut letters) = (String::new(), inside.char_indices());
        let end = loop {
            match letters.next().expect("an end of the quotes") {
                (_, '\\') => word.push(letters.next().unwrap().1),
                (end, '"') => break end,
                (_, other) => word.push(other),
            }
        };
        words.push(single(&word, '%'));
        rest = inside.get(end + 1..).unwrap();
    }
    assert_eq!(rest.trim(), "", "not quoted in {line}");
    words
}

/// The text with this letter, which is to be there in twos only, once.
fn single(text: &str, letter: char) -> String {
    let twice = format!("{letter}{letter}");
    assert!(!text.replace(&twice, "").contains(letter), "a lone {letter} in {text}");
    text.replace(&twice, &letter.to_string())
}

fn setting<'a>(unit: &'a str, name: &str) -> &'a str {
    let found = unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {name} in {unit}"))
}

/// What systemd itself says of a unit; `None` when it is not there.
fn verified(folder: &Path, unit: &str) -> Option<Ended> {
    let file = folder.join("my-news.service");
    std::fs::write(&file, unit).unwrap();
    let output = Command::new("systemd-analyze").arg("verify").arg(&file).output();
    if output.is_err() {
        eprintln!("skipped: no systemd-analyze looks at the unit");
    }
    output.ok().map(ended)
}

#[test]
fn a_unit_starts_this_program_with_this_home() {
    let odd = Odd::new();
    let unit = odd.print(&["--systemd"]).says("where cargo built it").stdout;
    let mut command = words(setting(&unit, "ExecStart"));
    // A `$` is doubled behind the program, where systemd looks for variables.
    command.iter_mut().skip(1).for_each(|word| *word = single(word, '$'));
    assert_eq!(command, odd.words());
    assert_eq!(single(setting(&unit, "WorkingDirectory"), '%'), odd.odd());
    let environment = words(setting(&unit, "Environment"));
    assert_eq!(environment, ["OLLAMA_HOST=http://nas:11434/%41 \"x\" $y \\z"]);
    for line in
        ["Type=notify", "Restart=on-failure", "KillSignal=SIGTERM", "WantedBy=default.target"]
    {
        assert!(unit.lines().any(|other| other == line), "{line} in {unit}");
    }
    for part in ["systemctl --user enable --now my-news.service", "loginctl enable-linger"] {
        assert!(unit.contains(part), "{part} in {unit}");
    }
    let Some(said) = verified(odd.folder.path(), &unit) else { return };
    assert_eq!(said.code(0).stderr, "", "systemd complains");
}

#[test]
fn a_unit_of_the_machine_runs_as_the_owner_of_the_home() {
    let odd = Odd::new();
    let unit = odd.print(&["--systemd", "--system", "--name", "mill-2"]).stdout;
    let me = Command::new("id").arg("-un").output().unwrap();
    assert_eq!(setting(&unit, "User"), String::from_utf8_lossy(&me.stdout).trim());
    assert!(unit.contains("/etc/systemd/system/mill-2.service"), "{unit}");
    assert!(!unit.contains("--user") && !unit.contains("linger"), "{unit}");
    let Some(said) = verified(odd.folder.path(), &unit) else { return };
    assert_eq!(said.code(0).stderr, "", "systemd complains");
}

#[test]
fn a_property_list_starts_this_program_with_this_home() {
    let odd = Odd::new();
    let plist = odd.print(&["--launchd"]).stdout;
    let Some(read) = property_list(&plist) else { return };
    assert_eq!(read["ProgramArguments"], json!(odd.words()));
    assert_eq!(read["WorkingDirectory"], odd.odd().as_str());
    assert_eq!(read["Label"], "local.my-news");
    assert_eq!(read["KeepAlive"], json!({ "SuccessfulExit": false }));
    assert_eq!(read["ProcessType"], "Background");
    assert_eq!(read["StandardErrorPath"], format!("{}/home/logs/my-news.err", odd.odd()));
    assert_eq!(read["EnvironmentVariables"]["OLLAMA_HOST"], "http://nas:11434/%41 \"x\" $y \\z");
    for part in ["Full Disk Access", "/Volumes", "pmset"] {
        assert!(plist.contains(part), "{part} in {plist}");
    }
}

/// What Python's own parser reads; `None` when there is no Python.
fn property_list(text: &str) -> Option<Value> {
    let read =
        "import json, plistlib, sys; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))";
    let mut command = Command::new("python3");
    command.args(["-c", read]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        eprintln!("skipped: no python3 reads the property list");
        return None;
    };
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "no property list: {text}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = Place::new();
    place.run(&["service", "print"]).code(2).says("--systemd");
    place.run(&["service", "print", "--systemd", "--launchd"]).code(2);
    place.run(&["service", "print", "--launchd", "--system"]).code(2).says("--system");
    place.run(&["service", "print", "--systemd", "--name", "a b"]).code(2).says("single hyphens");
    place.run(&["service", "print", "--systemd", "--home", "a\nb"]).code(2).says("plain text");
    let json = place.json(0, &["service", "print", "--systemd"]);
    assert_eq!(json["name"], "tidemill");
    assert!(!place.home().exists(), "printing makes no home");
}
