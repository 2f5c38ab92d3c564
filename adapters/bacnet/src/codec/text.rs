//! Text in the character sets a device may use (clause 20.2.9). Total: what a set does not define
//! becomes U+FFFD, as a name with one odd letter is worth more than none.

use super::tag::DecodeError;

/// The set Riser writes.
pub(crate) const UTF_8: u8 = 0;
const DBCS: u8 = 1;
const UCS_4: u8 = 3;
const UCS_2: u8 = 4;
const LATIN_1: u8 = 5;

/// Text behind its character-set octet.
pub(crate) fn decode(content: &[u8]) -> Result<String, DecodeError> {
    let (set, octets) = content
        .split_first()
        .ok_or(DecodeError::Invalid("a text"))?;
    let text = match *set {
        UCS_2 => ucs2(octets),
        UCS_4 => ucs4(octets),
        LATIN_1 => octets.iter().copied().map(char::from).collect(),
        // Two octets of code page first; its letters below 128 are ASCII in practice.
        DBCS => ascii(octets.get(2..).unwrap_or_default()),
        // Devices older than UTF-8 say 0 (then ANSI X3.4) and send Latin-1.
        UTF_8 => match std::str::from_utf8(octets) {
            Ok(text) => text.to_owned(),
            Err(_) => octets.iter().copied().map(char::from).collect(),
        },
        // 2: JIS C 6226, and numbers nobody has given out.
        _ => ascii(octets),
    };
    Ok(text.trim_end_matches('\0').to_owned())
}

fn ascii(octets: &[u8]) -> String {
    octets
        .iter()
        .map(|o| match o.is_ascii() {
            true => char::from(*o),
            false => char::REPLACEMENT_CHARACTER,
        })
        .collect()
}

fn ucs2(octets: &[u8]) -> String {
    let units = octets.chunks(2).map(|pair| match pair {
        [high, low] => u16::from_be_bytes([*high, *low]),
        _ => 0xFFFD,
    });
    char::decode_utf16(units)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

fn ucs4(octets: &[u8]) -> String {
    octets
        .chunks(4)
        .map(|four| match four {
            [a, b, c, d] => char::from_u32(u32::from_be_bytes([*a, *b, *c, *d])),
            _ => None,
        })
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_of_the_standard_is_read() {
        for (octets, text) in [
            (&[0, b'a', 0xC3, 0xA9][..], "aé"),
            (&[0, b'a', 0xE9], "aé"),
            (&[1, 0x03, 0xA4, b'a', 0x93], "a\u{fffd}"),
            (&[3, 0, 0, 0, b'A', 0, 0, 0, 0xE9], "Aé"),
            (&[4, 0, b'A', 0, b'B', 0, 0xE9], "ABé"),
            (&[4, 0, b'A', 0], "A\u{fffd}"),
            (&[5, b'a', 0xE9, 0], "aé"),
            (&[0], ""),
        ] {
            assert_eq!(decode(octets).unwrap(), text, "{octets:?}");
        }
        assert!(decode(&[]).is_err());
    }
}
