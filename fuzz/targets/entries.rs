#![no_main]
//! See `dht::fuzzing::entries`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dht::fuzzing::entries(bytes));
