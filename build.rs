//! Tells the linker how a Node.js addon is loaded.

fn main() {
    napi_build::setup();
}
