//! Entry point of the cloud service.

fn main() {}
