//! One file of this computer, served on loopback for a moment: what takes an address takes it too.

use super::server::accept;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use std::net::Ipv4Addr;
use std::path::Path;
use tidemill_pipeline::{Error, Result, ResultExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

/// A longer file is not taken into memory; the fetcher would set it aside anyway.
const LONGEST: u64 = 64 << 20;

/// A file that is served for as long as this value lives, at one address and nothing beside it.
#[derive(Debug)]
pub struct OneFile {
    url: Url,
    task: JoinHandle<()>,
}

impl OneFile {
    /// Reads the file and starts to serve it on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When the file cannot be read or is longer than 64 MiB, or no port can be had.
    pub async fn serve(path: &Path) -> Result<Self> {
        let body = read(path).await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .doing("serving the file")
            .or_halt()?;
        let mut url = Url::parse(&format!("http://{}/", listener.local_addr()?))?;
        url.set_path(&path.file_name().unwrap_or_default().to_string_lossy());
        let (place, kind) = (url.path().to_string(), kind(path));
        let task =
            tokio::spawn(accept(listener, move |request| answer(request, &place, kind, &body)));
        Ok(Self { url, task })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }
}

impl Drop for OneFile {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read(path: &Path) -> Result<Bytes> {
    let doing = || format!("cannot read {}", path.display());
    let size = tokio::fs::metadata(path).await.doing(doing()).or_halt()?.len();
    if size > LONGEST {
        return Err(Error::halt(format!("{} has {size} bytes", path.display()))
            .because("too_large")
            .help("name a page or a document, not a collection of them"));
    }
    tokio::fs::read(path).await.map(Bytes::from).doing(doing()).or_halt()
}

fn answer<B>(
    request: &Request<B>,
    place: &str,
    kind: Option<&'static str>,
    body: &Bytes,
) -> Response<Full<Bytes>> {
    let found =
        request.uri().path() == place && matches!(*request.method(), Method::GET | Method::HEAD);
    if !found {
        // There is no robots.txt either: nothing is forbidden.
        let mut reply = Response::new(Full::default());
        *reply.status_mut() = StatusCode::NOT_FOUND;
        return reply;
    }
    let mut reply = Response::new(Full::new(body.clone()));
    if let Some(kind) = kind {
        reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    reply
}

/// What its name says that it is; where it says nothing, the content does.
fn kind(path: &Path) -> Option<&'static str> {
    let ending = path.extension()?.to_string_lossy().to_ascii_lowercase();
    match ending.as_str() {
        "html" | "htm" => Some("text/html"),
        "xhtml" => Some("application/xhtml+xml"),
        "rss" | "atom" | "xml" => Some("application/xml"),
        "json" => Some("application/json"),
        "txt" | "md" => Some("text/plain"),
        "pdf" => Some("application/pdf"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: Method, path: &str) -> StatusCode {
        let request = Request::builder().method(method).uri(path).body(()).unwrap();
        answer(&request, "/a%20page.html", None, &Bytes::from_static(b"ebb")).status()
    }

    #[test]
    fn nothing_but_the_file_is_served() {
        assert_eq!(ask(Method::GET, "/a%20page.html"), StatusCode::OK);
        assert_eq!(ask(Method::HEAD, "/a%20page.html"), StatusCode::OK);
        assert_eq!(ask(Method::POST, "/a%20page.html"), StatusCode::NOT_FOUND);
        for other in ["/", "/robots.txt", "/../etc/passwd", "/other.html"] {
            assert_eq!(ask(Method::GET, other), StatusCode::NOT_FOUND, "{other}");
        }
    }

    #[tokio::test]
    async fn a_file_is_read_when_it_begins_and_its_name_is_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a page.html");
        tidemill_pipeline::tier::atomic::write_new(&path, b"ebb").unwrap();
        let served = OneFile::serve(&path).await.unwrap();
        assert_eq!(served.url().path(), "/a%20page.html");
        assert_eq!(served.url().host_str(), Some("127.0.0.1"));
        assert!(OneFile::serve(&folder.path().join("none")).await.is_err());
    }
}
