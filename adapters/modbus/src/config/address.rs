//! The notations installers meet for one and the same register, turned into table and protocol
//! address. Owns nothing else: the rest of the adapter knows protocol addresses only.

use crate::codec::Table;
use serde::Deserialize;

/// What the numbers in `address` count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Addressing {
    /// From 0, as on the wire.
    #[default]
    Zero,
    /// From 1, as in the data model of the specification.
    One,
    /// The first digit names the table, the rest counts from 1: 40001 or 400001.
    Modicon,
}

/// An address as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum AddressText {
    /// A number: counts as `addressing` says.
    Number(i64),
    /// Text: five or six digits are Modicon notation, `0x…` counts from 0, whatever `addressing` says.
    Text(String),
}

/// The table and protocol address meant. `table` is what the point itself names, `fallback` what
/// its device names for all points.
pub fn resolve(
    written: &AddressText,
    addressing: Addressing,
    table: Option<Table>,
    fallback: Table,
) -> Result<(Table, u16), String> {
    match written {
        AddressText::Number(number) => match addressing {
            Addressing::Zero => plain(*number, 0).map(|a| (table.unwrap_or(fallback), a)),
            Addressing::One => plain(*number, 1).map(|a| (table.unwrap_or(fallback), a)),
            Addressing::Modicon => modicon(&format!("{number:05}"), table),
        },
        AddressText::Text(text) => match text.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16)
                .map_err(|_| format!("'{text}' is not a hexadecimal address"))
                .and_then(|number| plain(number, 0))
                .map(|a| (table.unwrap_or(fallback), a)),
            None => modicon(text, table),
        },
    }
}

fn plain(number: i64, first: i64) -> Result<u16, String> {
    u16::try_from(number - first).map_err(|_| {
        format!(
            "address {number} is not between {first} and {}; for numbers like 400001 set addressing = \"modicon\"",
            65_535 + first
        )
    })
}

fn modicon(digits: &str, table: Option<Table>) -> Result<(Table, u16), String> {
    let wrong = || {
        format!(
            "'{digits}' is not an address such as 40001 or 400001: five or six digits, the first one 0 (coil), 1 (discrete), 3 (input) or 4 (holding), the rest from 1"
        )
    };
    if !matches!(digits.len(), 5 | 6) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let (first, rest) = digits.split_at(1);
    let named = match first {
        "0" => Table::Coil,
        "1" => Table::Discrete,
        "3" => Table::Input,
        "4" => Table::Holding,
        _ => return Err(wrong()),
    };
    let number: i64 = rest.parse().map_err(|_| wrong())?;
    let address = plain(number, 1).map_err(|_| wrong())?;
    match table {
        Some(table) if table != named => Err(format!(
            "{digits} means {named}, but the table says {table}; write only one of the two"
        )),
        _ => Ok((named, address)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(n: i64, addressing: Addressing) -> Result<(Table, u16), String> {
        resolve(&AddressText::Number(n), addressing, None, Table::Holding)
    }

    fn text(t: &str) -> Result<(Table, u16), String> {
        let written = AddressText::Text(t.to_owned());
        resolve(&written, Addressing::Zero, None, Table::Input)
    }

    #[test]
    fn every_notation_of_one_register_is_the_same_protocol_address() {
        let wanted = Ok((Table::Holding, 107));
        assert_eq!(number(107, Addressing::Zero), wanted);
        assert_eq!(number(108, Addressing::One), wanted);
        assert_eq!(number(40_108, Addressing::Modicon), wanted);
        assert_eq!(number(400_108, Addressing::Modicon), wanted);
        assert_eq!(text("40108"), wanted);
        assert_eq!(text("400108"), wanted);
        assert_eq!(text("0x6b"), Ok((Table::Input, 107)));
    }

    #[test]
    fn the_first_digit_names_the_table() {
        assert_eq!(number(1, Addressing::Modicon), Ok((Table::Coil, 0)));
        assert_eq!(
            number(10_001, Addressing::Modicon),
            Ok((Table::Discrete, 0))
        );
        assert_eq!(number(30_001, Addressing::Modicon), Ok((Table::Input, 0)));
        assert_eq!(text("010001"), Ok((Table::Coil, 10_000)));
        assert_eq!(
            number(465_536, Addressing::Modicon),
            Ok((Table::Holding, 65_535))
        );
    }

    #[test]
    fn what_no_register_has_is_refused() {
        for (n, addressing) in [
            (-1, Addressing::Zero),
            (65_536, Addressing::Zero),
            (0, Addressing::One),
            (40_000, Addressing::Modicon),
            (20_001, Addressing::Modicon),
            (465_537, Addressing::Modicon),
            (0, Addressing::Modicon),
        ] {
            assert!(number(n, addressing).is_err(), "{n}");
        }
        assert!(text("4x001").is_err());
        let clash = resolve(
            &AddressText::Number(40_001),
            Addressing::Modicon,
            Some(Table::Coil),
            Table::Holding,
        );
        assert!(clash.unwrap_err().contains("only one of the two"));
    }
}
