#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tower_respond_async::fuzzing::grpc(data));
