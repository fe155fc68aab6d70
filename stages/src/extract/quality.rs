//! How much a text looks like an article, and whether a page only pretends to be one.

/// A score from 0 to 1: long paragraphs with ends of sentences are good, link lists are not.
pub(super) fn score(text: &str, page_chars: usize) -> f64 {
    let words = text.split_whitespace().count();
    if words == 0 {
        return 0.0;
    }
    let paragraphs: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let prose = paragraphs.iter().filter(|p| p.len() > 80).count();
    let ends = text.chars().filter(|c| ".!?。！？".contains(*c)).count();
    let length = (words as f64 / 150.0).min(1.0);
    let shape = prose as f64 / paragraphs.len() as f64;
    let sentences = (ends as f64 * 25.0 / words as f64).min(1.0);
    let share = (text.len() as f64 * 4.0 / page_chars.max(1) as f64).min(1.0);
    0.4 * length + 0.25 * shape + 0.25 * sentences + 0.1 * share
}

/// Why a page is no page to read: a wall instead of the text.
pub(super) fn wall(title: &str, text: &str) -> Option<&'static str> {
    if text.split_whitespace().count() > 120 {
        return None; // walls are short; a long text that speaks of captchas is an article
    }
    let all = format!("{title} {text}").to_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| all.contains(phrase));
    if says(&[
        "just a moment",
        "verify you are human",
        "are you a robot",
        "checking your browser",
        "captcha",
    ]) {
        return Some("block_page");
    }
    if says(&[
        "enable javascript",
        "javascript is required",
        "requires javascript",
        "turn on javascript",
    ]) {
        return Some("needs_javascript");
    }
    if says(&["we value your privacy", "accept all cookies", "before you continue to"]) {
        return Some("consent_wall");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_scores_higher_than_a_menu() {
        let prose = "The tide turned at six, and the miller opened the gate to let the water out over the wheel.\n".repeat(20);
        let menu = "Home\nNews\nSport\nContact\n".repeat(20);
        assert!(score(&prose, 4000) > 0.8, "{}", score(&prose, 4000));
        assert!(score(&menu, 4000) < 0.4, "{}", score(&menu, 4000));
        assert!(score("", 0).abs() < f64::EPSILON);
    }

    #[test]
    fn walls_are_seen_and_articles_about_them_are_not() {
        assert_eq!(wall("Just a moment...", "Checking"), Some("block_page"));
        assert_eq!(
            wall("App", "You need to enable JavaScript to run this app."),
            Some("needs_javascript")
        );
        let article = "The history of the captcha is long. ".repeat(40);
        assert_eq!(wall("Captchas", &article), None);
    }
}
