//! The demo site as a client sees it, over loopback.

use super::articles::ARTICLES;
use super::{DemoSite, bind, port_for};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

fn start() -> (DemoSite, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (DemoSite::start(listener).unwrap(), address)
}

/// Sends one request; gives back the head, in lower case, and the body.
async fn ask(to: SocketAddr, method: &str, path: &str, headers: &str) -> (String, String) {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn words(html: &str) -> usize {
    html.split('<')
        .filter_map(|part| part.split_once('>').map_or(Some(part), |(_, text)| Some(text)))
        .map(|text| text.split_whitespace().count())
        .sum()
}

#[test]
fn each_article_is_short_closed_and_unlike_the_others() {
    for (n, one) in ARTICLES.iter().enumerate() {
        let count = words(one.body);
        assert!((250..=500).contains(&count), "{} has {count} words", one.slug);
        for tag in ["p", "ul", "ol", "li", "h2", "table", "blockquote", "code"] {
            let closed = one.body.matches(&format!("</{tag}>")).count();
            assert_eq!(one.body.matches(&format!("<{tag}>")).count(), closed, "{} {tag}", one.slug);
        }
        let newer = n.checked_sub(1).map(|n| ARTICLES[n].date);
        assert!(newer.is_none_or(|newer| newer > one.date), "{} is out of order", one.slug);
    }
    let of = |lang: &str| ARTICLES.iter().filter(|one| one.lang == lang).count();
    assert_eq!((of("en"), of("de"), of("fr")), (10, 1, 1));
}

#[tokio::test]
async fn every_link_of_feed_and_site_map_leads_to_an_article() {
    let (site, address) = start();
    let (head, feed) = ask(address, "GET", "/feed.xml", "").await;
    assert_eq!(header(&head, "content-type"), Some("application/rss+xml; charset=utf-8"));
    assert!(feed.contains("<pubDate>Mon, 16 Nov 2026 06:00:00 GMT</pubDate>"), "{feed}");
    assert!(feed.contains("Rags, Wood &amp; Chalk"), "{feed}");
    let (_, map) = ask(address, "GET", "/sitemap.xml", "").await;
    for one in &ARTICLES {
        let path = format!("/articles/{}", one.slug);
        let url = format!("http://{address}{path}");
        assert!(feed.contains(&format!("<guid isPermaLink=\"true\">{url}</guid>")));
        assert!(map.contains(&format!("<loc>{url}</loc>")));
        let (head, page) = ask(address, "GET", &path, "").await;
        assert!(head.starts_with("http/1.1 200"), "{path}: {head}");
        assert!(page.contains(one.body.trim_end()) && !page.contains("{title}"));
        assert!(page.contains(&format!("<article lang=\"{}\">", one.lang)));
    }
    assert_eq!(feed.matches("<item>").count(), ARTICLES.len());
    assert_eq!(site.feed_url(), format!("http://{address}/feed.xml"));
    assert_eq!(site.url(), format!("http://{address}/"));
}

#[tokio::test]
async fn a_known_entity_tag_is_answered_with_not_modified() {
    let (_site, address) = start();
    let (head, body) = ask(address, "GET", "/articles/tides", "").await;
    let etag = header(&head, "etag").unwrap().to_owned();
    assert!(body.contains("<title>Why High Water Is Late Again"));
    for tag in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
        let (head, body) =
            ask(address, "GET", "/articles/tides", &format!("if-none-match: {tag}\r\n")).await;
        assert!(head.starts_with("http/1.1 304"), "{tag}: {head}");
        assert_eq!((header(&head, "etag"), body.as_str()), (Some(etag.as_str()), ""));
    }
    let other = format!("if-none-match: {etag}\r\n");
    let (head, _) = ask(address, "GET", "/articles/bees", &other).await;
    assert!(head.starts_with("http/1.1 200"), "another page has another tag: {head}");
}

#[tokio::test]
async fn head_has_no_body_unknown_pages_are_404_and_writing_is_refused() {
    let (_site, address) = start();
    let (_, page) = ask(address, "GET", "/articles/bread?from=feed", "").await;
    let (head, body) = ask(address, "HEAD", "/articles/bread", "").await;
    assert_eq!(header(&head, "content-length"), Some(page.len().to_string().as_str()));
    assert_eq!(body, "");
    let (head, body) = ask(address, "GET", "/articles/none", "if-none-match: *\r\n").await;
    assert!(head.starts_with("http/1.1 404") && header(&head, "etag").is_none(), "{head}");
    assert!(body.contains("no such page"));
    let (head, _) = ask(address, "POST", "/", "content-length: 0\r\n").await;
    assert!(head.starts_with("http/1.1 405"), "{head}");
    assert_eq!(header(&head, "allow"), Some("get, head"));
    let (_, robots) = ask(address, "GET", "/robots.txt", "").await;
    assert!(robots.contains("Disallow: /private/\n"), "{robots}");
    let (_, front) = ask(address, "GET", "/", "").await;
    assert!(front.contains("href=\"/private/ledger-room\""), "the closed door must be visible");
}

#[tokio::test]
async fn it_stops_when_dropped() {
    let (site, address) = start();
    let mut open = TcpStream::connect(address).await.unwrap();
    open.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    open.read_u8().await.unwrap();
    drop(site);
    let mut rest = Vec::new();
    // The open connection ends, cleanly or reset; kept alive it would stay open for half a minute.
    let ended = tokio::time::timeout(Duration::from_secs(10), open.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the connection outlives its site");
    assert!(TcpStream::connect(address).await.is_err(), "the port is still open");
}

#[tokio::test]
async fn it_refuses_to_listen_for_others() {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    assert_eq!(DemoSite::start(listener).unwrap_err().reason(), "demo_not_loopback");
}

#[test]
fn without_a_runtime_it_says_so_instead_of_panicking() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    assert!(DemoSite::start(listener).unwrap_err().message().contains("starting the demo site"));
}

#[test]
fn one_home_has_one_port_and_the_next_is_taken_when_it_is_busy() {
    let home = Path::new("/srv/some/mill");
    assert_eq!(port_for(home), port_for(Path::new("/srv//some/mill/")));
    assert_ne!(port_for(home), port_for(Path::new("/srv/some/mil/l")));
    for n in 0..500 {
        assert!((20_000..30_000).contains(&port_for(Path::new(&format!("/home/{n}")))));
    }
    let first = bind(home).unwrap().local_addr().unwrap();
    let held = bind(home).unwrap();
    assert_eq!(held.local_addr().unwrap(), first, "free again: the same port");
    let second = bind(home).unwrap().local_addr().unwrap();
    assert!(second.port() > first.port() && second.ip().is_loopback());
}
