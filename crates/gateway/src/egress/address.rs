//! The network addresses that may be called. This module does no I/O; `cases/ssrf-ip-cases.json` defines the
//! rules.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A public address.
    Public,
    /// An address outside the public internet. It may be called only if the operator allows the host by name.
    Internal,
    /// A cloud's metadata service, which issues credentials. It must never be called.
    Metadata,
}

/// IPv4 networks outside the public internet (IANA special-purpose registry, RFC 6890).
const INTERNAL_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),       // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // carrier-grade NAT
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarking
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, broadcast
];

/// IPv6 networks outside the public internet, or with an embedded IPv4 address that another party chooses.
///
/// An IPv4-mapped address is checked as its IPv4 address.
const INTERNAL_V6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 0), 96), // unspecified, loopback, IPv4-compatible
    (Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96), // IPv4-translated
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96), // NAT64
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48), // local NAT64
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64), // discard
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // Teredo, benchmarking, ORCHID
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation (RFC 9637)
    (Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0), 16), // segment routing (RFC 9602)
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7), // unique local
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10), // link-local
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10), // site-local
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8), // multicast
];

/// Metadata services of the large clouds.
const METADATA: &[IpAddr] = &[
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), // AWS, Azure, Google Cloud and others
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),   // AWS container credentials
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)), // Alibaba Cloud
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),     // Oracle Cloud
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)), // AWS
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)), // Google Cloud
];

/// Determines whether `address` may be called.
pub(super) fn judge(address: IpAddr) -> Verdict {
    let address = address.to_canonical();
    let leads_on = match address {
        IpAddr::V4(_) => Vec::new(),
        IpAddr::V6(v6) => embedded(v6),
    };
    if METADATA.contains(&address) || leads_on.iter().any(|v4| METADATA.contains(&IpAddr::V4(*v4))) {
        return Verdict::Metadata;
    }
    let internal = match address {
        IpAddr::V4(v4) => INTERNAL_V4
            .iter()
            .any(|(network, prefix)| (v4.to_bits() ^ network.to_bits()) >> (32 - prefix) == 0),
        IpAddr::V6(v6) => INTERNAL_V6
            .iter()
            .any(|(network, prefix)| (v6.to_bits() ^ network.to_bits()) >> (128 - prefix) == 0),
    };
    if internal { Verdict::Internal } else { Verdict::Public }
}

/// The IPv4 addresses that a translator or a tunnel may derive from an IPv6 address.
fn embedded(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let bits = address.to_bits();
    // With a prefix of up to 64 bits, the byte after bit 64 does not belong to the IPv4 address (RFC 6052
    // §2.2).
    let split = (bits >> 64 << 56) | (bits & ((1 << 56) - 1));
    let found: &[u128] = match address.segments() {
        // IPv4-compatible, IPv4-translated, NAT64.
        [0, 0, 0, 0, 0 | 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => &[bits],
        // Local NAT64, whose prefix may have 48, 56, 64 or 96 bits (RFC 8215).
        [0x64, 0xff9b, 1, ..] => &[split >> 40, split >> 32, split >> 24, bits],
        // 6to4.
        [0x2002, ..] => &[bits >> 80],
        _ => &[],
    };
    // Each IPv4 address is in the lowest 32 bits.
    found.iter().map(|bits| Ipv4Addr::from_bits(*bits as u32)).collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        address: IpAddr,
        expect: String,
        why: String,
    }

    #[test]
    fn every_row_of_the_table() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../../../cases/ssrf-ip-cases.json")).unwrap();
        for case in cases {
            let public = judge(case.address) == Verdict::Public;
            assert_eq!(public, case.expect == "allow", "{}: {}", case.address, case.why);
        }
    }

    #[test]
    fn metadata_is_known_in_every_notation() {
        for text in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "fd00:ec2::254",
            "100.100.100.200",
            // IPv4-compatible, IPv4-translated, NAT64, 6to4.
            "::169.254.169.254",
            "::ffff:0:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b::100.100.100.200",
            "2002:a9fe:a9fe::1",
            // Local NAT64 with a prefix of 48, 56, 64 and 96 bits, as in RFC 6052 §2.4.
            "64:ff9b:1:a9fe:a9:fe00::",
            "64:ff9b:1:aba9:fe:a9fe::",
            "64:ff9b:1:abcd:a9:fea9:fe00:0",
            "64:ff9b:1:abcd::169.254.169.254",
        ] {
            assert_eq!(judge(text.parse().unwrap()), Verdict::Metadata, "{text}");
        }
        for text in
            ["::10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "2002:a00:1::a9fe:a9fe", "fd00::a9fe:a9fe"]
        {
            assert_eq!(judge(text.parse().unwrap()), Verdict::Internal, "{text}");
        }
    }

    #[test]
    fn a_mapped_public_address_is_public() {
        assert_eq!(judge("::ffff:8.8.8.8".parse().unwrap()), Verdict::Public);
        assert_eq!(judge("2001:4860:4860::8888".parse().unwrap()), Verdict::Public);
    }
}
