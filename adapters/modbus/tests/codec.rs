//! The codec and the mapping under any input: nothing panics, nothing that does not belong together is
//! accepted, and what is written reads back. Golden octets are the examples of the specification.

use proptest::prelude::*;
use riser_modbus::codec::frame::{Peel, crc, peel_mbap, peel_rtu, wrap_mbap, wrap_rtu};
use riser_modbus::codec::{Answer, Exception, Mismatch, Request, Table, identity};
use riser_modbus::mapping::{Encoded, Encoding, Field, Linear, Mapping, Order};
use riser_model::{Value, ValueKind};

fn pdu(request: &Request) -> Vec<u8> {
    let mut out = Vec::new();
    request.encode(&mut out);
    out
}

fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|o| u8::from_str_radix(o, 16).expect("hex"))
        .collect()
}

fn read(table: Table, address: u16, quantity: u16) -> Request {
    Request::Read {
        table,
        address,
        quantity,
    }
}

/// The examples of MODBUS Application Protocol V1.1b3, clause 6: request, answer, what it says.
#[test]
fn the_reads_of_the_specification() {
    let values = vec![255; 3];
    let both = Request::ReadWrite {
        read_address: 3,
        quantity: 6,
        write_address: 14,
        values,
    };
    #[rustfmt::skip]
    let examples = [
        (read(Table::Coil, 19, 19), "01 00 13 00 13", "01 03 CD 6B 05", "CD 6B 05"),
        (read(Table::Discrete, 196, 22), "02 00 C4 00 16", "02 03 AC DB 35", "AC DB 35"),
        (read(Table::Holding, 107, 3), "03 00 6B 00 03", "03 06 02 2B 00 00 00 64", "02 2B 00 00 00 64"),
        (read(Table::Input, 8, 1), "04 00 08 00 01", "04 02 00 0A", "00 0A"),
        (both, "17 00 03 00 06 00 0E 00 03 06 00 FF 00 FF 00 FF",
         "17 0C 00 FE 0A CD 00 01 00 03 00 0D 00 FF", "00 FE 0A CD 00 01 00 03 00 0D 00 FF"),
    ];
    for (request, asked, answered, octets) in examples {
        assert_eq!(pdu(&request), hex(asked));
        assert_eq!(
            request.decode(&hex(answered)),
            Ok(Answer::Data(&hex(octets)))
        );
    }
    let octets = hex("81 02");
    let exception = read(Table::Coil, 1185, 1).decode(&octets);
    assert_eq!(exception, Ok(Answer::Exception(Exception(2))));
}

#[test]
fn the_writes_of_the_specification() {
    let coils = vec![
        true, false, true, true, false, false, true, true, true, false,
    ];
    #[rustfmt::skip]
    let examples = [
        (Request::WriteCoil { address: 172, on: true }, "05 00 AC FF 00", "05 00 AC FF 00"),
        (Request::WriteRegister { address: 1, value: 3 }, "06 00 01 00 03", "06 00 01 00 03"),
        (Request::WriteCoils { address: 19, values: coils }, "0F 00 13 00 0A 02 CD 01", "0F 00 13 00 0A"),
        (Request::WriteRegisters { address: 1, values: vec![10, 258] }, "10 00 01 00 02 04 00 0A 01 02", "10 00 01 00 02"),
        (Request::MaskWrite { address: 4, and: 0xF2, or: 0x25 }, "16 00 04 00 F2 00 25", "16 00 04 00 F2 00 25"),
    ];
    for (request, asked, answered) in examples {
        assert_eq!(pdu(&request), hex(asked));
        assert_eq!(request.decode(&hex(answered)), Ok(Answer::Written));
    }
}

#[test]
fn identification_of_the_specification() {
    let request = Request::Identify { code: 1, object: 0 };
    assert_eq!(pdu(&request), hex("2B 0E 01 00"));
    let answer = [
        hex("2B 0E 01 01 00 00 03 00 16"),
        b"Company identification".to_vec(),
        hex("01 0F"),
        b"Product code XX".to_vec(),
        hex("02 05"),
        b"V2.11".to_vec(),
    ]
    .concat();
    let Ok(Answer::Identity(body)) = request.decode(&answer) else {
        panic!("not an identity");
    };
    let page = identity::parse(body).unwrap();
    assert_eq!(page.next, None);
    assert_eq!(page.objects[2], (2, "V2.11".to_owned()));
    assert_eq!(identity::parse(&body[..body.len() - 1]), None);
}

#[test]
fn limits_are_checked_before_anything_goes_out() {
    let read = |table, address, quantity| {
        Request::Read {
            table,
            address,
            quantity,
        }
        .check()
        .is_ok()
    };
    assert!(
        read(Table::Holding, 0, 125)
            && !read(Table::Holding, 0, 126)
            && !read(Table::Holding, 0, 0)
    );
    assert!(read(Table::Coil, 0, 2000) && !read(Table::Discrete, 0, 2001));
    assert!(read(Table::Input, 65_535, 1) && !read(Table::Input, 65_535, 2));
    let registers = |n| {
        Request::WriteRegisters {
            address: 0,
            values: vec![0; n],
        }
        .check()
        .is_ok()
    };
    assert!(registers(123) && !registers(124));
    let coils = |n| {
        Request::WriteCoils {
            address: 0,
            values: vec![true; n],
        }
        .check()
        .is_ok()
    };
    assert!(coils(1968) && !coils(1969));
}

#[test]
fn the_crc_of_the_serial_specification() {
    // MODBUS over Serial Line V1.02, appendix B: 02 07 has the CRC 12 41, low octet first 41 12.
    assert_eq!(crc(&[0x02, 0x07]), 0x1241);
    assert_eq!(crc(&hex("01 03 00 00 00 0A")).to_le_bytes(), [0xC5, 0xCD]);
}

fn any_request() -> impl Strategy<Value = Request> {
    let table = prop_oneof![
        Just(Table::Coil),
        Just(Table::Discrete),
        Just(Table::Input),
        Just(Table::Holding)
    ];
    prop_oneof![
        (table, any::<u16>(), 1..=125_u16).prop_map(|(table, address, quantity)| Request::Read {
            table,
            address,
            quantity
        }),
        (any::<u16>(), any::<bool>()).prop_map(|(address, on)| Request::WriteCoil { address, on }),
        (any::<u16>(), any::<u16>())
            .prop_map(|(address, value)| Request::WriteRegister { address, value }),
        (any::<u16>(), prop::collection::vec(any::<bool>(), 1..40))
            .prop_map(|(address, values)| Request::WriteCoils { address, values }),
        (any::<u16>(), prop::collection::vec(any::<u16>(), 1..40))
            .prop_map(|(address, values)| Request::WriteRegisters { address, values }),
        (any::<u16>(), any::<u16>(), any::<u16>())
            .prop_map(|(address, and, or)| Request::MaskWrite { address, and, or }),
        (
            any::<u16>(),
            1..=125_u16,
            any::<u16>(),
            prop::collection::vec(any::<u16>(), 1..40)
        )
            .prop_map(|(read_address, quantity, write_address, values)| {
                Request::ReadWrite {
                    read_address,
                    quantity,
                    write_address,
                    values,
                }
            }),
        any::<u8>().prop_map(|object| Request::Identify { code: 1, object }),
    ]
}

/// A fitting answer to a request, with chosen data.
fn answer_to(request: &Request, fill: u8) -> Vec<u8> {
    let asked = pdu(request);
    match request.answer_length() {
        None => [&[43, 14, 1, 1, 0, 0, 1, 0, 1][..], &[fill]].concat(),
        Some(length) if matches!(request, Request::Read { .. } | Request::ReadWrite { .. }) => {
            let mut answer = vec![fill; length];
            answer[0] = asked[0];
            answer[1] = u8::try_from(length - 2).unwrap_or(0);
            answer
        }
        Some(length) => asked[..length].to_vec(),
    }
}

proptest! {
    #[test]
    fn any_octets_decode_to_something_or_to_an_error(request in any_request(), octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let _total = request.decode(&octets);
        let _total = peel_mbap(&octets);
        let _total = peel_rtu(&octets);
        let _total = identity::parse(&octets);
    }

    #[test]
    fn a_fitting_answer_is_accepted_and_every_other_length_is_not(request in any_request(), fill: u8, cut in 0..10_usize) {
        let answer = answer_to(&request, fill);
        prop_assert!(request.decode(&answer).is_ok());
        if request.answer_length().is_some() {
            let longer = [answer.as_slice(), &[fill; 4]].concat();
            prop_assert!(request.decode(&longer).is_err());
            let shorter = &answer[..answer.len().saturating_sub(cut + 1)];
            prop_assert!(request.decode(shorter).is_err());
        }
    }

    #[test]
    fn an_answer_to_another_function_is_never_accepted(a in any_request(), b in any_request(), fill: u8) {
        prop_assume!(a.function() != b.function());
        let mismatch = matches!(a.decode(&answer_to(&b, fill)), Err(Mismatch::Function { .. }));
        prop_assert!(mismatch);
    }

    #[test]
    fn a_tcp_frame_is_found_only_when_it_is_whole(request in any_request(), transaction: u16, unit: u8, rest in prop::collection::vec(any::<u8>(), 0..20)) {
        let mut frame = Vec::new();
        wrap_mbap(&mut frame, transaction, unit, |out| request.encode(out));
        for cut in 0..frame.len() {
            prop_assert_eq!(peel_mbap(&frame[..cut]), Peel::More);
        }
        let whole = frame.len();
        frame.extend(rest);
        let Peel::Frame(found) = peel_mbap(&frame) else { panic!("not found") };
        prop_assert_eq!((found.transaction, found.unit, found.length), (transaction, unit, whole));
        let sent = pdu(&request);
        prop_assert_eq!(&frame[found.start..found.end], sent.as_slice());
    }

    #[test]
    fn a_serial_answer_is_found_only_when_it_is_whole(request in any_request(), unit: u8, fill: u8, bit in 0..64_usize) {
        let answer = answer_to(&request, fill);
        let mut frame = Vec::new();
        wrap_rtu(&mut frame, unit, |out| out.extend(&answer));
        for cut in 0..frame.len() {
            prop_assert_eq!(peel_rtu(&frame[..cut]), Peel::More);
        }
        let Peel::Frame(found) = peel_rtu(&frame) else { panic!("not found") };
        prop_assert_eq!(&frame[found.start..found.end], answer.as_slice());
        // One flipped bit anywhere is noticed.
        let at = bit % (frame.len() * 8);
        frame[at / 8] ^= 1 << (at % 8);
        let noticed = !matches!(peel_rtu(&frame), Peel::Frame(f) if f.length == frame.len());
        prop_assert!(noticed);
    }

    /// What makes a header out of step visible: an id where the protocol id or the length belongs.
    #[test]
    fn a_header_one_to_four_octets_out_of_step_is_never_a_frame(stray in prop::collection::vec(any::<u8>(), 1..=4), high in 4..=255_u8, low in 1..=255_u8, request in any_request()) {
        let mut frame = stray;
        wrap_mbap(&mut frame, u16::from_be_bytes([high, low]), 1, |out| request.encode(out));
        let garbage = matches!(peel_mbap(&frame), Peel::Garbage(_));
        prop_assert!(garbage);
    }
}

fn mapping(encoding: Encoding, registers: u16, kind: ValueKind) -> Mapping {
    Mapping {
        encoding,
        registers,
        order: Order::plain(u8::try_from(registers * 2).unwrap_or(8)),
        field: None,
        invert: false,
        linear: Linear::None,
        absent: Box::default(),
        min: None,
        max: None,
        clamp: false,
        kind,
    }
}

fn any_mapping() -> impl Strategy<Value = Mapping> {
    let integer = prop_oneof![Just(Encoding::Unsigned), Just(Encoding::Signed)];
    let orders = prop_oneof![Just("abcd"), Just("cdab"), Just("badc"), Just("dcba")];
    let linear = prop_oneof![
        Just(Linear::None),
        Just(Linear::new(10.0, 5.0)),
        Just(Linear::new(0.1, 0.0)),
        Just(Linear::new(0.001, -40.0)),
        Just(Linear::new(-0.5, 100.0)),
    ];
    (
        integer,
        prop_oneof![Just(1_u16), Just(2), Just(4)],
        orders,
        linear,
        any::<bool>(),
    )
        .prop_map(|(encoding, registers, order, linear, low)| {
            let kind = if matches!(linear, Linear::Real { .. }) {
                ValueKind::Float
            } else {
                ValueKind::Integer
            };
            let octets = u8::try_from(registers * 2).unwrap_or(8);
            let order = if octets == 2 {
                Order::plain(2)
            } else {
                Order::parse(order, octets).expect("a named order")
            };
            let field = (low && registers == 1).then_some(Field { shift: 3, width: 9 });
            Mapping {
                order,
                linear,
                field,
                ..mapping(encoding, registers, kind)
            }
        })
}

proptest! {
    #[test]
    fn any_registers_decode_to_something(mapping in any_mapping(), octets in prop::collection::vec(any::<u8>(), 0..12), exponent in -12..12_i32) {
        let (value, quality) = mapping.decode(&octets, exponent);
        prop_assert!(value.is_some() || !quality.is_good());
    }

    #[test]
    fn what_was_read_can_be_written_and_gives_the_same_registers(mapping in any_mapping(), octets in prop::collection::vec(any::<u8>(), 8)) {
        // 64-bit numbers beyond 2^53 lose digits as real numbers, which a register of money would not.
        let small: Vec<u8> = octets.iter().map(|o| o & 0x0F).collect();
        let octets = if mapping.registers == 4 { small } else { octets };
        let (Some(value), quality) = mapping.decode(&octets, 0) else { return Ok(()) };
        prop_assume!(quality.is_good() && value.as_f64().is_some_and(|v| v.abs() < 9.0e15));
        prop_assume!(mapping.registers < 4 || mapping.kind == ValueKind::Integer);
        let encoded = mapping.encode(&value, 0).map_err(TestCaseError::fail)?;
        let expected = mapping.expected(&encoded, 0);
        prop_assert_eq!(expected.as_ref(), Some(&value));
        let words: Vec<u16> = octets.chunks_exact(2).take(mapping.registers.into()).map(|p| u16::from_be_bytes([p[0], p[1]])).collect();
        match encoded {
            Encoded::Registers(written) => prop_assert_eq!(written, words),
            Encoded::Masked { mask, bits } => prop_assert_eq!(bits[0], words[0] & mask[0]),
            Encoded::Bit(_) => prop_assert!(false),
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_and_never_cut(mapping in any_mapping(), number: i64) {
        if let Ok(encoded) = mapping.encode(&Value::Int(number), 0) {
            let back = mapping.expected(&encoded, 0).and_then(|v| v.as_f64()).unwrap_or(f64::NAN);
            let step = match mapping.linear { Linear::Real { num, den, .. } => (num / den).abs(), _ => 0.0 };
            #[expect(clippy::cast_precision_loss, reason = "compared with what is itself a real number")]
            let wanted = number as f64;
            prop_assert!((back - wanted).abs() <= step / 2.0 + wanted.abs() * 1.0e-12, "{number} became {back}");
        }
    }

    #[test]
    fn single_precision_survives(bits: u32) {
        let float = mapping(Encoding::Float, 2, ValueKind::Float);
        let (value, _) = float.decode(&bits.to_be_bytes(), 0);
        let Some(value) = value else { return Ok(()) };
        let encoded = float.encode(&value, 0).map_err(TestCaseError::fail)?;
        let words: Vec<u16> = bits.to_be_bytes().chunks_exact(2).map(|p| u16::from_be_bytes([p[0], p[1]])).collect();
        prop_assert_eq!(encoded, Encoded::Registers(words));
    }

    #[test]
    fn decimal_codes_survive(number in 0..=9999_i64) {
        let bcd = mapping(Encoding::Bcd, 1, ValueKind::Integer);
        let encoded = bcd.encode(&Value::Int(number), 0).map_err(TestCaseError::fail)?;
        prop_assert_eq!(bcd.expected(&encoded, 0), Some(Value::Int(number)));
    }

    #[test]
    fn text_survives(text in "[ -~]{0,20}") {
        let mapping = mapping(Encoding::Text, 10, ValueKind::Text);
        let encoded = mapping.encode(&Value::text(&text), 0).map_err(TestCaseError::fail)?;
        prop_assert_eq!(mapping.expected(&encoded, 0), Some(Value::text(text.trim_end())));
    }
}

#[test]
fn a_scale_of_a_tenth_yields_the_decimal_people_expect() {
    let tenth = Mapping {
        linear: Linear::new(0.1, 0.0),
        ..mapping(Encoding::Unsigned, 1, ValueKind::Float)
    };
    for raw in 0..=u16::MAX {
        let (value, _) = tenth.decode(&raw.to_be_bytes(), 0);
        let wanted: f64 = format!("{}.{}", raw / 10, raw % 10).parse().unwrap();
        assert_eq!(value, Some(Value::Float(wanted)));
    }
}
