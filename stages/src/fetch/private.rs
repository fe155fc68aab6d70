//! Which IP addresses are not on the public internet, so that a public page cannot send us home.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

/// Whether an address is anything but a plain address of the public internet.
///
/// True for loopback, RFC 1918, link-local (with it the metadata service 169.254.169.254), shared
/// carrier space, unique-local, multicast, unspecified, documentation, benchmark and reserved
/// ranges, and for IPv6 addresses that carry such an IPv4 address inside (mapped, compatible,
/// 6to4, NAT64). The ranges are those that the IANA special-purpose registries (RFC 6890) call
/// not globally reachable.
#[must_use]
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_private_v4(v4),
        IpAddr::V6(v6) => is_private_v6(v6),
    }
}

/// Whether a URL's host is written as a private address; such hosts never meet a resolver.
#[must_use]
pub fn is_private_host(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => is_private(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => is_private(IpAddr::V6(ip)),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

fn is_private_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    v4.is_loopback()
        || v4.is_private()
        || v4.is_link_local()
        || v4.is_multicast()
        || v4.is_documentation()
        || a == 0 // "this network", RFC 791; 0.0.0.0 reaches the own machine on many systems
        || a >= 240 // reserved, with broadcast
        || (a == 100 && (64..128).contains(&b)) // carrier-grade NAT, RFC 6598
        || (a == 198 && (18..20).contains(&b)) // benchmarks, RFC 2544
        || (a == 192 && b == 0 && c == 0) // protocol assignments, RFC 6890
}

fn is_private_v6(v6: Ipv6Addr) -> bool {
    if let Some(v4) = embedded_v4(v6) {
        return is_private_v4(v4);
    }
    let [first, second, ..] = v6.segments();
    v6.is_loopback()
        || v6.is_unspecified()
        || v6.is_multicast()
        || v6.is_unique_local()
        || v6.is_unicast_link_local()
        || (first & 0xffc0) == 0xfec0 // site-local, deprecated but still routed at home
        || (first == 0x2001 && second == 0x0db8) // documentation, RFC 3849
        || (first == 0x2001 && second < 0x0200) // protocol assignments, with Teredo, RFC 2928
        || (first == 0x0064 && second == 0xff9b) // NAT64 for local use, RFC 8215
        || (first == 0x0100 && second == 0) // discard only, RFC 6666
}

/// The IPv4 address that an IPv6 address leads to.
fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [s0, s1, s2, s3, s4, s5, s6, s7] = v6.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (s0, s1, s2, s3, s4, s5) {
        (0, 0, 0, 0, 0, 0xffff) => Some(join(s6, s7)),
        // `::` and `::1` look IPv4-compatible too, and are private either way.
        (0, 0, 0, 0, 0, 0) => Some(join(s6, s7)),
        (0x64, 0xff9b, 0, 0, 0, 0) => Some(join(s6, s7)),
        (0x2002, high, low, ..) => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::is_private;

    #[test]
    fn addresses_of_homes_machines_and_clouds_are_private() {
        for text in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "224.0.0.1",
            "239.1.1.1",
            "255.255.255.255",
            "240.0.0.1",
            "198.18.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "::",
            "::1",
            "fe80::1",
            "fec0::1",
            "fd00::1",
            "fc00::1",
            "ff02::1",
            "::ffff:192.168.1.1",
            "::ffff:127.0.0.1",
            "::10.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:c0a8:101::1",
            "fd00:ec2::254",
            "2001:db8::1",
            "64:ff9b:1::1",
            "100::1",
        ] {
            assert!(is_private(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn addresses_of_the_public_internet_are_not() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "192.169.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "169.253.0.1",
            "11.0.0.1",
            "223.255.255.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert!(!is_private(text.parse().unwrap()), "{text}");
        }
    }
}
