//! The program starts. `__test__/standalone.test.ts` has the tests of its commands, and runs the program that cargo
//! builds for this test.

use std::process::Command;

#[test]
fn it_prints_its_version() {
    let output = Command::new(env!("CARGO_BIN_EXE_proxy-execute-gateway"))
        .arg("--version")
        .output()
        .expect("cargo has built the program");
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains(env!("CARGO_PKG_VERSION")), "{printed}");
}
