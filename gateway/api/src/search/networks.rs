//! The networks this gateway stands in, as a first proposal of where to look. Owns reading the
//! kernel's table of routes.

use std::net::Ipv4Addr;

/// Networks with more addresses than this are not proposed: searching one takes hours.
const SMALLEST_PREFIX: u32 = 22;
/// A tunnel or a single address is nowhere to look.
const LARGEST_PREFIX: u32 = 30;

/// Directly attached IPv4 networks, such as `192.0.2.0/24`.
pub(crate) fn attached() -> Vec<String> {
    std::fs::read_to_string("/proc/net/route").map_or_else(|_| Vec::new(), |table| read(&table))
}

/// The columns are interface, destination, gateway, flags, …, mask; addresses are hexadecimal in the
/// machine's order of octets (`proc(5)`).
fn read(table: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let number = |index: usize| u32::from_str_radix(fields.get(index)?, 16).ok();
        let (Some(network), Some(0), Some(mask)) = (number(1), number(2), number(7)) else {
            continue;
        };
        let prefix = mask.count_ones();
        if network != 0 && (SMALLEST_PREFIX..=LARGEST_PREFIX).contains(&prefix) {
            let network = Ipv4Addr::from(u32::from_be_bytes(network.to_ne_bytes()));
            let text = format!("{network}/{prefix}");
            if !found.contains(&text) {
                found.push(text);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn attached_networks_are_read_and_the_way_out_is_none() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
            eth0\t00000000\t0102000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
            eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
            docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
        assert_eq!(read(table), ["10.0.2.0/24"]);
    }
}
