//! The fakes are tested too: a fake that cannot misbehave proves nothing.
#![expect(clippy::unwrap_used, reason = "tests")]

mod ollama;
mod web;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// An answer read off the wire, by a client that trusts nobody.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
    /// Whether the body has the length that the head declared.
    complete: bool,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// Asks once on a connection of its own; nothing if that was closed without a word.
fn ask(url: &str, method: &str, headers: &[(&str, &str)], body: &str) -> Option<Answer> {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let extra: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{extra}\
         content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    // A reset in the middle is an end like any other: `complete` tells.
    let _ = stream.read_to_end(&mut bytes);
    let end_of_head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(bytes[..end_of_head].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let rest = &bytes[end_of_head..];
    let mut answer = Answer { status, head, body: rest.to_vec(), complete: true };
    if let Some(declared) = answer.header("content-length") {
        answer.complete = declared.parse() == Ok(rest.len());
    } else if answer.header("transfer-encoding") == Some("chunked") {
        (answer.body, answer.complete) = unchunked(rest);
    }
    Some(answer)
}

fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        let (chunk, after) = rest[end + 2..].split_at(size);
        body.extend_from_slice(chunk);
        rest = &after[2..];
    }
    (body, false)
}

fn get(url: &str) -> Answer {
    ask(url, "GET", &[], "").unwrap()
}

fn is_refused(url: &str) -> bool {
    let host = url.strip_prefix("http://").unwrap().split('/').next().unwrap();
    let error = TcpStream::connect(host).map(drop).map_err(|e| e.kind());
    error == Err(std::io::ErrorKind::ConnectionRefused)
}
