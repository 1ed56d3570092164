#![no_main]
//! See `dht::fuzzing::frames`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dht::fuzzing::frames(bytes));
