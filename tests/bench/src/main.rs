//! The figures of the product, measured on real processes beside the machine's own floors.

fn main() {}
