#![no_main]

use libfuzzer_sys::fuzz_target;
use proxy_execute_server::fuzz;

fuzz_target!(|data: &[u8]| fuzz::callback(data));
