#![no_main]
//! See `p2psip::fuzzing::sip`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| p2psip::fuzzing::sip(bytes));
