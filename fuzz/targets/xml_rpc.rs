#![no_main]
//! See `supernode::fuzzing::xml_rpc`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| supernode::fuzzing::xml_rpc(bytes));
