//! A notice in words: a title for the lock screen of a phone, and a text of a few lines.

use tidemill_pipeline::serve::{Notice, NoticeKind};

/// A text that is longer, in bytes, would be an attachment to ntfy (from 4096 on).
const LONGEST: usize = 3500;
const SHORTENED: &str = "… (shortened)";

/// One line of plain ASCII, as a header wants it.
pub(super) fn title(notice: &Notice) -> String {
    let pipeline = notice.pipeline.as_str();
    let title = match notice.kind {
        NoticeKind::Failed => format!("{pipeline}: a run failed"),
        NoticeKind::Parked => format!("{pipeline}: many parked items"),
        NoticeKind::Away => format!("{pipeline}: something it needs is away"),
        NoticeKind::Yield => format!("{pipeline}: fewer items than before"),
        NoticeKind::Done => format!("{pipeline}: done"),
        NoticeKind::Test => "tidemill: a test".into(),
    };
    title.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).collect()
}

/// What happened, how many items ended where, what to do, and which run it is about.
pub(super) fn text(notice: &Notice) -> String {
    let mut lines = vec![notice.text.clone()];
    if let Some(items) = &notice.items {
        let counts = [
            (items.done, "done"),
            (items.unchanged, "unchanged"),
            (items.waiting, "waiting"),
            (items.parked, "parked"),
        ];
        let counts = counts.map(|(n, state)| format!("{n} {state}"));
        lines.push(counts.join(", "));
    }
    lines.extend(notice.help.as_ref().map(|help| format!("→ {help}")));
    lines.extend(notice.run.as_ref().map(|run| format!("run {run} of {}", notice.pipeline)));
    shortened(lines.join("\n"))
}

/// From 1, which is silent, to 5, which does not stop ringing: the priorities of ntfy.
pub(super) fn priority(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Failed => "4",
        NoticeKind::Done => "2",
        NoticeKind::Parked | NoticeKind::Away | NoticeKind::Yield | NoticeKind::Test => "3",
    }
}

/// Names of pictures that ntfy puts before the title.
pub(super) fn tags(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::Failed => "rotating_light",
        NoticeKind::Parked | NoticeKind::Yield => "warning",
        NoticeKind::Away => "electric_plug",
        NoticeKind::Done => "white_check_mark",
        NoticeKind::Test => "wave",
    }
}

fn shortened(mut text: String) -> String {
    if text.len() <= LONGEST {
        return text;
    }
    text.truncate(text.floor_char_boundary(LONGEST - SHORTENED.len()));
    text + SHORTENED
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(text: &str) -> Notice {
        Notice {
            kind: NoticeKind::Failed,
            pipeline: "news".into(),
            run: None,
            text: text.into(),
            help: None,
            items: None,
            mill: "m".into(),
            at: 0,
        }
    }

    #[test]
    fn a_long_text_says_that_it_is_shortened() {
        let long = text(&notice(&"ü".repeat(9000)));
        assert!(long.len() <= LONGEST && long.ends_with(SHORTENED), "{} bytes", long.len());
        assert_eq!(text(&notice("short")), "short");
    }

    #[test]
    fn a_title_fits_a_header() {
        let odd = Notice { pipeline: "n\r\nX-Evil: é".into(), ..notice("") };
        assert_eq!(title(&odd), "n??X-Evil: ?: a run failed");
    }
}
