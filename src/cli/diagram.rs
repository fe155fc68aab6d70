//! `plan --dot`: the pipelines as Graphviz draws them.

use super::plan::{Plan, Step};

/// One drawing of all: a box per step, tables as cylinders, datasets and archives as folders.
pub(super) fn dot(plans: &[Plan]) -> String {
    let mut lines = vec![
        "digraph tidemill {".to_string(),
        "  rankdir=LR;".into(),
        "  node [shape=box, fontname=\"sans-serif\"];".into(),
        "  edge [fontname=\"sans-serif\", fontsize=10];".into(),
    ];
    for (no, plan) in plans.iter().enumerate() {
        lines.extend(pipeline(no, plan));
    }
    lines.push("}".into());
    lines.join("\n")
}

fn pipeline(no: usize, plan: &Plan) -> Vec<String> {
    let name = |step: usize| format!("p{no}s{step}");
    let mut lines = vec![
        format!("  subgraph cluster_{no} {{"),
        format!("    label={};", quoted(&plan.pipeline)),
    ];
    for (at, step) in plan.steps.iter().enumerate() {
        lines.push(format!("    {} [{}];", name(at), looks(step)));
    }
    for (at, step) in plan.steps.iter().enumerate().take(plan.steps.len().saturating_sub(1)) {
        let what = quoted(&step.node.yields);
        lines.push(format!("    {} -> {} [label={what}];", name(at), name(at + 1)));
    }
    lines.push("  }".into());
    if let Some(archive) = &plan.archive {
        let words: Vec<&str> = archive.split(" · ").collect();
        lines.push(format!("  p{no}archive [shape=folder, label={}];", quoted(&words.join("\n"))));
        let kept = |step: &Step| step.node.fills.is_some();
        for (at, _) in plan.steps.iter().enumerate().filter(|(_, step)| kept(step)) {
            lines.push(format!("  {} -> p{no}archive [style=dashed];", name(at)));
        }
    }
    lines
}

fn looks(step: &Step) -> String {
    let node = &step.node;
    let version = if node.version > 0 { format!("@{}", node.version) } else { String::new() };
    let mut label = format!("{}\n{}{version}", node.verb, node.name);
    if let Some(target) = &node.fills {
        label.push_str(&format!("\n{target}"));
    }
    if step.replay.is_some() {
        label.push_str(" ⟲");
    }
    let shape = match (node.verb.as_str(), &node.fills) {
        ("store", _) => "shape=cylinder, ",
        (_, Some(_)) => "shape=folder, ",
        _ => "",
    };
    format!("{shape}label={}", quoted(&label))
}

/// A string of the language DOT, in which a quote and a backslash are escaped.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_line_ends_do_not_end_a_string() {
        assert_eq!(quoted("a \"b\"\\\nc\u{7}"), r#""a \"b\"\\\nc ""#);
    }
}
