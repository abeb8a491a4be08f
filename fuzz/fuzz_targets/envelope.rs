#![no_main]

use std::alloc::System;

use alloc_tracker::{Allocator, Operation, Session};

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::system();

thread_local! {
    static CHECK: Operation = Session::new().operation("check");
}

/// What each byte may cost: a field of nine bytes takes a place of a hundred in a map that doubles as
/// it grows, in each of the values that the check makes.
const PER_BYTE: u64 = 2_000;
/// What the smallest input may cost.
const BASE: u64 = 16 * 1024;

libfuzzer_sys::fuzz_target!(|data: &[u8]| CHECK.with(|check| {
    let before = check.total_bytes_allocated();
    {
        let _span = check.measure_thread();
        tower_respond_async::fuzzing::envelope(data);
    }
    let allocated = check.total_bytes_allocated() - before;
    let bytes = data.len() as u64;
    assert!(allocated <= BASE + bytes * PER_BYTE, "{allocated} bytes were allocated for {bytes}");
}));
