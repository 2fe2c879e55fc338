//! How much of this server one address may use, so that one client can neither take all seats nor all of a core.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// So many addresses are remembered before those that owe nothing are forgotten: far more than have seats at once.
const REMEMBERED: usize = 1024;

/// What a wrong token costs, in requests: guessing is a hundred times slower than reading.
pub(super) const WRONG_TOKEN: u32 = 100;

/// What one address may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    /// Connections at once.
    pub connections: usize,
    /// Requests a second, and how many may come at once after a rest.
    pub requests_per_second: u32,
}

/// All addresses that use this server, or did a moment ago.
pub(super) struct Peers {
    share: Share,
    known: Mutex<HashMap<IpAddr, Peer>>,
}

struct Peer {
    connections: usize,
    /// Requests that it may still make at once.
    left: f64,
    /// When that was so, counted from the server's start.
    at: Duration,
}

/// A connection's place. Gives it back when it goes.
pub(super) struct Seat {
    peers: Arc<Peers>,
    address: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(peer) = self.peers.lock().get_mut(&self.address) {
            peer.connections = peer.connections.saturating_sub(1);
        }
    }
}

impl Peers {
    pub fn new(share: Share) -> Arc<Self> {
        Arc::new(Self { share, known: Mutex::default() })
    }

    /// A place for a connection from `address`, unless it has as many as it may.
    pub fn seat(self: &Arc<Self>, address: IpAddr, now: Duration) -> Option<Arc<Seat>> {
        let address = household(address);
        let mut known = self.lock();
        if known.len() >= REMEMBERED {
            known.retain(|_, peer| peer.connections > 0 || !peer.is_rested(self.share, now));
        }
        let peer =
            known.entry(address).or_insert(Peer { connections: 0, left: f64::from(self.share.requests_per_second), at: now });
        if peer.connections >= self.share.connections {
            return None;
        }
        peer.connections += 1;
        Some(Arc::new(Seat { peers: Arc::clone(self), address }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Peer>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Pays for something that costs as much as `requests`; false if the address has nothing left.
    pub fn pays(&self, requests: u32, now: Duration) -> bool {
        let share = self.peers.share;
        self.peers.lock().get_mut(&self.address).is_none_or(|peer| peer.pays(requests, share, now))
    }
}

impl Peer {
    fn pays(&mut self, requests: u32, share: Share, now: Duration) -> bool {
        self.left = self.left_at(share, now);
        self.at = now;
        let can = self.left >= 1.0;
        if can {
            // A debt is possible, and is worked off by waiting.
            self.left -= f64::from(requests);
        }
        can
    }

    fn left_at(&self, share: Share, now: Duration) -> f64 {
        let most = f64::from(share.requests_per_second);
        (self.left + most * now.saturating_sub(self.at).as_secs_f64()).min(most)
    }

    fn is_rested(&self, share: Share, now: Duration) -> bool {
        self.left_at(share, now) >= f64::from(share.requests_per_second)
    }
}

/// An address, or for IPv6 its /64: whoever has one address of that has all of them.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: Share = Share { connections: 2, requests_per_second: 10 };
    const START: Duration = Duration::ZERO;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_has_its_share_of_seats_and_gets_them_back_while_others_have_their_own() {
        let peers = Peers::new(SHARE);
        let (here, there) = (address("192.0.2.1"), address("192.0.2.2"));
        let held = [peers.seat(here, START), peers.seat(here, START)];
        assert!(held.iter().all(Option::is_some) && peers.seat(here, START).is_none());
        assert!(peers.seat(there, START).is_some(), "somebody else");
        drop(held);
        assert!(peers.seat(here, START).is_some());
    }

    #[test]
    fn requests_are_paid_for_and_earned_back_by_waiting_not_by_coming_back() {
        let peers = Peers::new(SHARE);
        let seat = peers.seat(address("::1"), START).expect("a seat");
        assert_eq!((0..20).filter(|_| seat.pays(1, START)).count(), 10);
        drop(seat);
        let seat = peers.seat(address("::1"), START).expect("a seat");
        assert!(!seat.pays(1, START), "a new connection is the same client");
        assert_eq!((0..20).filter(|_| seat.pays(1, Duration::from_millis(500))).count(), 5);
        assert_eq!((0..20).filter(|_| seat.pays(1, Duration::from_secs(3600))).count(), 10, "no more than a second's worth");
    }

    #[test]
    fn a_debt_is_worked_off() {
        let peers = Peers::new(SHARE);
        let seat = peers.seat(address("192.0.2.1"), START).expect("a seat");
        assert!(seat.pays(WRONG_TOKEN, START));
        assert!(!seat.pays(1, Duration::from_secs(8)));
        assert!(seat.pays(1, Duration::from_secs(10)));
    }

    #[test]
    fn a_network_of_one_client_is_one_client() {
        assert_eq!(household(address("2001:db8:1:2:3::4")), household(address("2001:db8:1:2::9")));
        assert_ne!(household(address("2001:db8:1:2::9")), household(address("2001:db8:1:3::9")));
        assert_eq!(household(address("::ffff:192.0.2.1")), address("192.0.2.1"));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_no_debt_is_forgotten() {
        let peers = Peers::new(SHARE);
        let debtor = peers.seat(address("198.51.100.1"), START).expect("a seat");
        assert!(debtor.pays(WRONG_TOKEN, START));
        drop(debtor);
        for number in 0..5000_u32 {
            drop(peers.seat(IpAddr::V4((0x0A00_0000 + number).into()), START));
        }
        assert!(peers.lock().len() <= REMEMBERED);
        assert!(!peers.seat(address("198.51.100.1"), START).expect("a seat").pays(1, START));
    }
}
