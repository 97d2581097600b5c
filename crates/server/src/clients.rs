//! The addresses of clients, and the number of open connections of each client.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The address that identifies a client: an IPv4 address, or the first 64 bits of an IPv6 address.
///
/// An IPv6 client usually has a whole network of that size.
pub(super) fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

/// The open connections, by client.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    most: u32,
    open: Arc<Mutex<HashMap<IpAddr, u32>>>,
}

/// A connection in the count of its client, until this is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    connections: Connections,
    client: IpAddr,
}

impl Connections {
    pub(super) fn at_most(most: u32) -> Self {
        Self { most, open: Arc::default() }
    }

    pub(super) fn most(&self) -> u32 {
        self.most
    }

    /// Counts a new connection of a client; `None` if the client is at its limit.
    pub(super) fn add(&self, address: IpAddr) -> Option<Counted> {
        let client = client_of(address);
        let mut open = self.lock();
        let count = open.entry(client).or_default();
        (*count < self.most).then(|| {
            *count += 1;
            Counted { connections: self.clone(), client }
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.connections.lock();
        if let Some(count) = open.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_its_own_connections() {
        let connections = Connections::at_most(2);
        let add = |address: &str| connections.add(address.parse().unwrap());
        for client in [
            ["192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1"],
            ["192.0.2.2", "::ffff:192.0.2.2", "192.0.2.2"],
            ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::"],
            ["2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1::3"],
        ] {
            let [first, second, third] = client;
            let (one, two) = (add(first), add(second));
            assert!(one.is_some() && two.is_some() && add(third).is_none(), "{client:?}");
            drop(one);
            let again = add(third);
            assert!(again.is_some() && add(first).is_none(), "{client:?}");
        }
        assert!(connections.lock().is_empty());
    }
}
