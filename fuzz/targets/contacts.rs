#![no_main]
//! See `supernode::fuzzing::contacts`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| supernode::fuzzing::contacts(bytes));
