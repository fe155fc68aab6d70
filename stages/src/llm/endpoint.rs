//! Where a model server is: addresses as people write them, and whether they leave the house.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tidemill_pipeline::{Error, Result};
use url::{Host, Url};

/// Where Ollama listens unless told otherwise.
pub(super) const LOOPBACK: &str = "http://127.0.0.1:11434";

/// Reads an address as `OLLAMA_HOST` takes it: `host`, `host:port`, `http://host:port/path`.
///
/// Without a scheme the port is 11434, with one it is the scheme's own, as Ollama's own client
/// has it. `0.0.0.0` and `::` are where a server listens; a client goes to loopback instead.
///
/// # Errors
/// Halts on what is no address, and on passwords and queries in it: they would end up in records.
pub(super) fn parse(text: &str) -> Result<Url> {
    let text = text.trim();
    let refused = |why: &str| {
        Error::halt(format!("the model server's address is not usable: {why}"))
            .because("bad_endpoint")
            .help("write it as `host`, `host:port` or `http://host:port/path`")
    };
    let full = if text.contains("://") { text.to_owned() } else { with_scheme(text) };
    let mut url = Url::parse(&full).map_err(|e| refused(&e.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("only http and https are known"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(refused("it carries a name, a password or a query"));
    }
    let home = match url.host() {
        Some(Host::Ipv4(Ipv4Addr::UNSPECIFIED)) => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        Some(Host::Ipv6(Ipv6Addr::UNSPECIFIED)) => Some(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        _ => None,
    };
    if let Some(home) = home {
        url.set_ip_host(home).map_err(|()| refused("it names no host"))?;
    }
    url.set_fragment(None);
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// `host`, `host:port`, `:port`, `host/path`, `::1` with the scheme and port that are meant.
fn with_scheme(text: &str) -> String {
    let (host, path) = text.split_once('/').unwrap_or((text, ""));
    if host.parse::<Ipv6Addr>().is_ok() {
        return format!("http://[{host}]:11434/{path}");
    }
    let host = if host.is_empty() || host.starts_with(':') {
        format!("127.0.0.1{host}")
    } else {
        host.to_owned()
    };
    let after_ip = host.rsplit(']').next().unwrap_or(&host);
    if after_ip.contains(':') {
        return format!("http://{host}/{path}");
    }
    format!("http://{host}:11434/{path}")
}

/// The address without a trailing slash, as records and messages show it.
pub(super) fn shown(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// Whether pages sent there leave the house: any of the host's addresses is a public one.
///
/// # Errors
/// The verdict is *wait* (`model_away`) when the name cannot be resolved.
pub(super) async fn is_public(url: &Url) -> Result<bool> {
    let port = url.port_or_known_default().unwrap_or(80);
    let name = match url.host() {
        Some(Host::Ipv4(ip)) => return Ok(!is_home(IpAddr::V4(ip))),
        Some(Host::Ipv6(ip)) => return Ok(!is_home(IpAddr::V6(ip))),
        Some(Host::Domain(name)) => name,
        None => return Ok(true),
    };
    let mut found = tokio::net::lookup_host((name, port)).await.map_err(|e| {
        Error::wait(format!("no address is known for the model server `{name}`"))
            .because("model_away")
            .caused_by(e)
            .help("check the name, and that the machine is on")
    })?;
    Ok(found.any(|address| !is_home(address.ip())))
}

/// Loopback, private (RFC 1918, RFC 4193), link-local and carrier-grade NAT (RFC 6598, which
/// overlay networks at home use).
fn is_home(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(v4) => is_home(IpAddr::V4(v4)),
            None => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        },
    }
}
