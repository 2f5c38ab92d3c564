//! Starts cloud, gateway and simulator with a throw-away PKI and stops them on Ctrl-C.

fn main() {}
