//! The links of a page: where a crawl may go next.

use super::canonical::resolve;
use scraper::{Html, node::Element};
use std::collections::HashSet;
use url::Url;

/// The pages that a page links to: canonical, in their order, each once.
///
/// A `<base>` counts; `rel=nofollow` links are left out, and a page whose `robots` meta element
/// says `nofollow` or `none` has no links.
#[must_use]
pub fn links(html: &str, base: &Url) -> Vec<Url> {
    let page = Html::parse_document(html);
    if elements(&page).any(forbids_following) {
        return Vec::new();
    }
    let base = base_of(&page, base);
    let mut seen = HashSet::new();
    elements(&page)
        .filter(|element| element.name() == "a" && !has_token(element, "rel", "nofollow"))
        .filter_map(|element| resolve(&base, element.attr("href")?))
        .filter(|url| seen.insert(url.clone()))
        .collect()
}

fn elements(page: &Html) -> impl Iterator<Item = &Element> {
    page.tree.root().descendants().filter_map(|node| node.value().as_element())
}

/// The first `<base href>` of a page, or the page's own address.
fn base_of(page: &Html, address: &Url) -> Url {
    elements(page)
        .filter(|element| element.name() == "base")
        .find_map(|element| address.join(element.attr("href")?.trim()).ok())
        .unwrap_or_else(|| address.clone())
}

fn forbids_following(element: &Element) -> bool {
    let is_robots = |name: &str| name.trim().eq_ignore_ascii_case("robots");
    if element.name() != "meta" || !element.attr("name").is_some_and(is_robots) {
        return false;
    }
    let forbids = |word: &str| {
        let word = word.trim();
        word.eq_ignore_ascii_case("nofollow") || word.eq_ignore_ascii_case("none")
    };
    element.attr("content").unwrap_or_default().split(',').any(forbids)
}

fn has_token(element: &Element, attribute: &str, token: &str) -> bool {
    let words = element.attr(attribute).unwrap_or_default().split_ascii_whitespace();
    words.into_iter().any(|word| word.eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::links;
    use url::Url;

    fn found(html: &str) -> Vec<String> {
        let base = Url::parse("https://example.org/dir/page").unwrap();
        links(html, &base).into_iter().map(String::from).collect()
    }

    #[test]
    fn links_are_canonical_and_each_is_told_once() {
        let html = "<a href='b?utm_source=x#y'>1</a><a href=b>2</a><p><a href='/c'>3</a>\
                    <a href='mailto:x@y.z'>4</a><a name=q>5</a><a rel='ugc NoFollow' href=/d>6</a>";
        assert_eq!(found(html), ["https://example.org/dir/b", "https://example.org/c"]);
        assert_eq!(
            found("<base href='//cdn.example/x/'><a href=y>1</a>"),
            ["https://cdn.example/x/y"]
        );
    }

    #[test]
    fn a_page_that_forbids_following_has_no_links() {
        for word in ["nofollow", "noindex, NOFOLLOW", "none"] {
            assert!(
                found(&format!("<meta name=ROBOTS content='{word}'><a href=/x>1</a>")).is_empty()
            );
        }
        assert_eq!(found("<meta name=robots content=noindex><a href=/x>1</a>").len(), 1);
    }
}
