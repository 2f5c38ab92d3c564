//! A simulated small building behind real Modbus TCP servers on loopback.

fn main() {}
