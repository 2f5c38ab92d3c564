//! The gateway daemon: command line, configuration, assembly of all parts.

fn main() {}
