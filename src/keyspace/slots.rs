//! The slot of a key.
//!
//! Source: the Redis cluster specification, "Key distribution model" and "Hash tags".

/// A cluster has so many slots, each served by one node.
pub const SLOTS: u16 = 16_384;

/// CRC16 as XMODEM computes it: this polynomial, from zero, nothing reflected.
const POLYNOMIAL: u16 = 0x1021;

/// The part of a key that decides its slot: what stands between the first `{` and the next `}`, if anything does; else the
/// whole key.
pub fn hashed_part(key: &str) -> &str {
    let Some((_, inner)) = key.split_once('{') else { return key };
    match inner.split_once('}') {
        Some((tag, _)) if !tag.is_empty() => tag,
        _ => key,
    }
}

/// The slot of a key.
pub fn slot(key: &str) -> u16 {
    crc16(hashed_part(key).as_bytes()) % SLOTS
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        let shift = |crc: u16, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ POLYNOMIAL };
        (0..8).fold(crc ^ (u16::from(*byte) << 8), shift)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn slots_are_those_of_the_specification_and_of_a_real_server() {
        assert_eq!(crc16(b"123456789"), 0x31c3, "the specification's own check value");
        for (key, expected) in [("foo", 12_182), ("bar", 5061), ("hello", 866), ("", 0), ("{user1000}.following", 3443)] {
            assert_eq!(slot(key), expected, "{key}");
        }
    }

    #[test]
    fn only_a_first_tag_that_is_not_empty_counts() {
        for (key, hashed) in [
            ("{user1000}.following", "user1000"),
            ("foo{}{bar}", "foo{}{bar}"),
            ("foo{{bar}}zap", "{bar"),
            ("foo{bar}{zap}", "bar"),
            ("foo{bar", "foo{bar"),
            ("foo}bar{zap}", "zap"),
        ] {
            assert_eq!(hashed_part(key), hashed, "{key}");
        }
    }

    proptest! {
        #[test]
        fn a_tag_decides_alone(before in "[^{]{0,8}", tag in "[^{}]{1,8}", after in "\\PC{0,8}", elsewhere in "\\PC{0,8}") {
            let one = format!("{before}{{{tag}}}{after}");
            let other = format!("{{{tag}}}{elsewhere}");
            prop_assert_eq!(slot(&one), slot(&tag));
            prop_assert_eq!(slot(&one), slot(&other));
            prop_assert!(slot(&one) < SLOTS);
        }
    }
}
