//! Any octets as the answer to a request of any kind: decoding is total, and what it accepts has the
//! length the request asked for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use riser_modbus::codec::{Answer, Request, Table, identity};

fuzz_target!(|input: (u8, u16, u16, Vec<u16>, &[u8])| {
    let (kind, address, quantity, values, answer) = input;
    let table = match kind >> 4 {
        0..=3 => Table::Coil,
        4..=7 => Table::Discrete,
        8..=11 => Table::Input,
        _ => Table::Holding,
    };
    let request = match kind & 7 {
        0 | 1 => Request::Read { table, address, quantity },
        2 => Request::WriteCoil { address, on: quantity > 0 },
        3 => Request::WriteRegister { address, value: quantity },
        4 => Request::WriteCoils { address, values: values.iter().map(|v| *v > 9).collect() },
        5 => Request::WriteRegisters { address, values },
        6 => Request::ReadWrite { read_address: address, quantity, write_address: address, values },
        _ => Request::Identify { code: 1, object: 0 },
    };
    if request.check().is_err() {
        return;
    }
    match request.decode(answer) {
        Ok(Answer::Data(data)) => assert_eq!(Some(data.len() + 2), request.answer_length()),
        Ok(Answer::Written) => assert_eq!(Some(answer.len()), request.answer_length()),
        Ok(Answer::Identity(body)) => _ = identity::parse(body),
        Ok(Answer::Exception(_)) => assert_eq!(answer.len(), 2),
        Err(_) => {}
    }
});
