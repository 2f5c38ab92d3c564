//! Builds frames and protobuf fields by hand, so tests can say what no encoder would.

/// A protobuf field of wire type 0.
pub(crate) fn number(out: &mut Vec<u8>, field: u8, mut value: u64) {
    out.push(field << 3);
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).expect("seven bits") | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).expect("seven bits"));
}

/// A protobuf field of wire type 2, shorter than 128 octets.
pub(crate) fn octets(out: &mut Vec<u8>, field: u8, value: &[u8]) {
    out.extend([field << 3 | 2, u8::try_from(value.len()).expect("short")]);
    out.extend_from_slice(value);
}

/// Magic, version, length and checksum around a header and a body.
pub(crate) fn frame(version: u8, header: &[u8], body: &[u8]) -> Vec<u8> {
    let mut frame = vec![b'R', b'F', version];
    frame.extend(
        u16::try_from(header.len())
            .expect("a short header")
            .to_le_bytes(),
    );
    frame.extend_from_slice(header);
    frame.extend_from_slice(body);
    sign(&mut frame);
    frame
}

/// Appends the checksum.
pub(crate) fn sign(frame: &mut Vec<u8>) {
    let checksum = crc32c::crc32c(frame);
    frame.extend(checksum.to_le_bytes());
}

/// Replaces the checksum of a changed frame.
pub(crate) fn resign(frame: &mut Vec<u8>) {
    frame.truncate(frame.len().saturating_sub(4));
    sign(frame);
}

/// The header of an uncompressed frame.
pub(crate) fn header(stream: u64, layout: u64, samples: u64, body: usize) -> Vec<u8> {
    let mut header = Vec::new();
    octets(&mut header, 1, &[7; 16]);
    number(&mut header, 2, stream);
    number(&mut header, 3, 1);
    number(&mut header, 8, samples);
    number(&mut header, 10, layout);
    number(&mut header, 11, body as u64);
    header
}

/// A data frame around any body.
pub(crate) fn data(samples: u64, body: &[u8]) -> Vec<u8> {
    frame(1, &header(2, 1, samples, body.len()), body)
}

/// An event frame around any body.
pub(crate) fn event(body: &[u8]) -> Vec<u8> {
    frame(1, &header(1, 0, 0, body.len()), body)
}
