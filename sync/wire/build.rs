//! Compiles `proto/` to Rust with protox, so no `protoc` is needed to build Riser.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let set = protox::compile(
        [
            "riser/v1/event.proto",
            "riser/v1/frame.proto",
            "riser/v1/link.proto",
        ],
        ["proto"],
    )?;
    prost_build::Config::new().compile_fds(set)?;
    Ok(())
}
