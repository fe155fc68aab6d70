//! A property list of launchd (launchd.plist(5)): an agent of the user who is logged in.

use super::Program;

/// The property list's text.
pub(crate) fn plist(program: &Program) -> String {
    let label = label(program);
    let arguments: String = std::iter::once(&program.path)
        .chain(&program.arguments)
        .map(|argument| format!("    <string>{}</string>\n", escaped(argument)))
        .collect();
    let variables: String = program
        .environment
        .iter()
        .map(|(name, value)| format!("    <key>{name}</key><string>{}</string>\n", escaped(value)))
        .collect();
    let string =
        |key: &str, value: &str| format!("  <key>{key}</key><string>{}</string>\n", escaped(value));
    [
        HEAD.into(),
        comment(program, &label),
        "<plist version=\"1.0\">\n<dict>\n".into(),
        string("Label", &label),
        format!("  <key>ProgramArguments</key>\n  <array>\n{arguments}  </array>\n"),
        string("WorkingDirectory", &program.folder),
        format!("  <key>EnvironmentVariables</key>\n  <dict>\n{variables}  </dict>\n"),
        // Not `.log`: of these the mill keeps only the newest.
        string("StandardOutPath", &format!("{}/logs/{}.out", program.home, program.name)),
        string("StandardErrorPath", &format!("{}/logs/{}.err", program.home, program.name)),
        HOW.into(),
        "</dict>\n</plist>\n".into(),
    ]
    .concat()
}

const HEAD: &str = "\
<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">
";

/// How it starts, stops, and what it may take.
const HOW: &str = "  \
  <key>RunAtLoad</key><true/>
  <!-- Started again when it failed, a minute later at the earliest; not when it was stopped. -->
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key><false/>
  </dict>
  <key>ThrottleInterval</key><integer>60</integer>
  <!-- Seconds to finish what is in hand. What is cut off goes on at the next start. -->
  <key>ExitTimeOut</key><integer>300</integer>
  <!-- Others on this machine come first. -->
  <key>ProcessType</key><string>Background</string>
  <key>LowPriorityIO</key><true/>
  <key>Nice</key><integer>10</integer>
";

fn label(program: &Program) -> String {
    format!("local.{}", program.name)
}

/// How to install it, and what macOS asks for. XML wants no two hyphens in a comment.
fn comment(program: &Program, label: &str) -> String {
    let warning = match program.is_build() {
        true => {
            "\n  WARNING: this program lies where cargo built it, and `cargo clean` takes it away.\n\
             \x20 Better install it, and print this again with the installed one.\n"
        }
        false => "",
    };
    format!(
        "<!--
  Make the folder for its logs, which is `logs` in the mill's home, and save this as
  ~/Library/LaunchAgents/{label}.plist, then:
    launchctl bootstrap gui/$(id -u) ~/Library/LaunchAgents/{label}.plist
  See how it is, stop it for good:
    launchctl print gui/$(id -u)/{label}
    launchctl bootout gui/$(id -u)/{label}

  It runs while you are logged in.

  macOS protects the disks below /Volumes, and what runs in the background may be refused without
  a question. Allow this program, in System Settings, Privacy and Security: Removable Volumes or
  Network Volumes (under Files and Folders); or Full Disk Access, which covers both. After an update
  of the program it may have to be allowed again.

  A Mac that sleeps runs nothing; it makes up for it when it wakes. To wake it before an early run:
    sudo pmset repeat wakeorpoweron MTWRFSU 05:55:00
  and to keep it from sleeping while it is plugged in:
    sudo pmset -c sleep 0
{warning}-->
"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_comment_has_two_hyphens_and_text_is_escaped() {
        let program = Program {
            name: "news".into(),
            path: "/target/debug/a&b".into(),
            arguments: vec!["--home".into(), "<h>".into()],
            folder: "/".into(),
            home: "/h".into(),
            archive: None,
            environment: vec![("TZ", "a<b".into())],
        };
        let text = plist(&program);
        let comments = text.split("<!--").skip(1).map(|rest| rest.split("-->").next().unwrap());
        comments.for_each(|comment| assert!(!comment.contains("--"), "{comment}"));
        for part in ["<string>/target/debug/a&amp;b<", "<string>&lt;h&gt;<", "<string>a&lt;b<"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(text.contains("WARNING"), "{text}");
    }
}
