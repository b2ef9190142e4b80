//! Turns the `.proto` files into Rust, without a `protoc` program.

use std::error::Error;

const FILES: [&str; 5] =
    ["tfplugin6/provider.proto", "tfplugin6/calls.proto", "tfplugin6/types.proto", "plugin.proto", "health.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    for file in FILES {
        println!("cargo::rerun-if-changed={file}");
    }
    tonic_prost_build::configure()
        .generate_default_stubs(true)
        .btree_map(".")
        // They carry what the user wrote, passwords too: their own `Debug` in lib.rs hides it
        .skip_debug([".tfplugin6.DynamicValue", ".tfplugin6.RawState"])
        .compile_fds(protox::compile(FILES, ["."])?)?;
    Ok(())
}
