//! Addresses that lead into somebody's private network.
//!
//! They are judged after the name was resolved, and what is connected to is one of those that were judged: a name that is
//! answered differently a moment later leads nowhere else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::checks::outcome::Code;
use crate::network::obstacle::Obstacle;

/// Ranges of IPv4 that are nobody's on the internet (IANA's special-purpose registry, RFC 6890). Those for documentation are
/// left out: they lead nowhere, in private networks as well.
const IPV4: [(Ipv4Addr, u32, &str); 11] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "this very machine's"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared behind a carrier's NAT"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local, where clouds keep their metadata"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "set aside for protocols"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "set aside for benchmarks"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// The same of IPv6. AWS's metadata (`fd00:ec2::254`) are unique local.
const IPV6: [(Ipv6Addr, u32, &str); 8] = [
    (Ipv6Addr::UNSPECIFIED, 128, "this very machine's"),
    (Ipv6Addr::LOCALHOST, 128, "loopback"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "translated within one network"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "a black hole"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "unique local"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "link-local"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "site-local"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast"),
];

/// Refuses all of them if one is private: which one answers must not depend on the order that a resolver likes today.
pub fn none_is_private(addresses: &[SocketAddr]) -> Result<(), Obstacle> {
    for address in addresses {
        if let Some(range) = private_range(address.ip()) {
            let detail = format!(
                "the way leads to {}, which is {range}; nothing was sent there. If it is meant, add the host to \
                 `spec.checks.privateHosts`",
                address.ip()
            );
            return Err(Obstacle::new(Code::PrivateAddress, detail));
        }
    }
    Ok(())
}

/// In words, which private range an address is of.
fn private_range(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => range_of_ipv4(address),
        IpAddr::V6(address) => range_of_ipv6(address).or_else(|| range_of_ipv4(carried(address)?)),
    }
}

fn range_of_ipv4(address: Ipv4Addr) -> Option<&'static str> {
    let within = |network: Ipv4Addr, bits: u32| (address.to_bits() ^ network.to_bits()).leading_zeros() >= bits;
    IPV4.into_iter().find(|(network, bits, _)| within(*network, *bits)).map(|(_, _, words)| words)
}

fn range_of_ipv6(address: Ipv6Addr) -> Option<&'static str> {
    let within = |network: Ipv6Addr, bits: u32| (address.to_bits() ^ network.to_bits()).leading_zeros() >= bits;
    IPV6.into_iter().find(|(network, bits, _)| within(*network, *bits)).map(|(_, _, words)| words)
}

/// The IPv4 address that an IPv6 address is another writing of: mapped, compatible, translated (NAT64) or tunnelled (6to4).
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let joined = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some(joined(high, low))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Option<&'static str> {
        private_range(text.parse().expect("an address"))
    }

    #[test]
    fn every_private_range_is_refused_to_its_last_address_and_its_neighbours_are_not() {
        for (first, last, before, behind) in [
            ("10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"),
            ("100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0"),
            ("127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0"),
            ("169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0"),
            ("172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"),
            ("192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0"),
            ("198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0"),
            ("224.0.0.0", "255.255.255.255", "223.255.255.255", "1.1.1.1"),
            ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fbff::1", "2600::1"),
            ("fe80::", "febf:ffff::1", "fe7f::1", "2a00::1"),
        ] {
            assert!(range(first).is_some() && range(last).is_some(), "{first} to {last}");
            assert_eq!((range(before), range(behind)), (None, None), "{before} and {behind}");
        }
        assert!(["0.0.0.0", "::", "::1", "fd00:ec2::254", "fec0::1", "ff02::1"].into_iter().all(|text| range(text).is_some()));
    }

    #[test]
    fn a_private_address_in_another_writing_is_as_private_and_a_public_one_as_public() {
        for prefix in ["::ffff:", "::", "64:ff9b::"] {
            assert!(range(&format!("{prefix}169.254.169.254")).is_some(), "{prefix}");
            assert_eq!(range(&format!("{prefix}198.51.100.7")), None, "{prefix}");
        }
        assert_eq!(range("2002:7f00:1::"), Some("loopback"));
        assert_eq!(range("2002:c633:6407::"), None);
    }

    #[test]
    fn one_private_address_among_public_ones_refuses_them_all_in_any_order() {
        let public = "198.51.100.7:443".parse().expect("an address");
        let private = "[fd00::7]:443".parse().expect("an address");
        for addresses in [[public, private], [private, public]] {
            let refused = none_is_private(&addresses).expect_err("one is private");
            assert_eq!(refused.code, Code::PrivateAddress);
            assert!(refused.detail.contains("fd00::7, which is unique local"), "{}", refused.detail);
        }
        assert_eq!(none_is_private(&[public]), Ok(()));
    }
}
