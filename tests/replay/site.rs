//! A site of pages that need no call of a model, one call, or many.

use crate::support::fake_web::FakeWeb;

/// The seed of a site: its sitemap lists every page.
pub(super) fn seed(web: &FakeWeb) -> String {
    web.url("/sitemap.xml")
}

/// A page of about so many words, other ones for each name.
pub(super) fn page(name: &str, words: usize) -> String {
    const WORDS: [&str; 29] = [
        "harbour", "ledger", "miller", "turns", "slowly", "under", "grey", "water", "while",
        "seven", "barges", "carry", "flour", "towards", "northern", "villages", "nobody", "counts",
        "sacks", "before", "evening", "bells", "answer", "across", "quiet", "marshes", "and",
        "geese", "rest",
    ];
    let mut number = name.bytes().map(usize::from).sum::<usize>() * 31;
    let mut text = String::new();
    for n in 0..words {
        number = number.wrapping_mul(1_103_515_245).wrapping_add(12_345) % 2_147_483_648;
        text += WORDS[number / 65_536 % WORDS.len()];
        text += match n % 120 {
            119 => ".</p>\n<p>",
            n if n % 12 == 11 => ". ",
            _ => " ",
        };
    }
    let title = title(name);
    format!(
        "<!doctype html><html lang=\"en\"><head><title>{title}</title></head><body><main>\
         <article><h1>{title}</h1>\n<p>{text}.</p></article></main></body></html>"
    )
}

/// The title of a page of its own.
pub(super) fn title(name: &str) -> String {
    format!("About the {name}")
}

/// The path of a page of its own, listed in the sitemap.
pub(super) fn path(name: &str) -> String {
    format!("/articles/{name}")
}

/// Puts a page onto the site, or another text in its place.
pub(super) fn put(web: &FakeWeb, name: &str, words: usize) {
    web.change(&path(name), &page(name, words));
}
