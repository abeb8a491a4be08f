//! The runtimes that everything is measured on.

use std::time::Duration;

use tokio::{
    runtime::{Builder, Runtime},
    time::sleep,
};

pub(crate) fn single_thread() -> Runtime {
    started(&mut Builder::new_current_thread())
}

pub(crate) fn two_workers() -> Runtime {
    started(Builder::new_multi_thread().worker_threads(2))
}

/// One timer is alive all the time: a runtime without any takes a shorter way at each park, and
/// the first layer to arm a timer would be charged with the difference.
fn started(builder: &mut Builder) -> Runtime {
    let runtime = builder.enable_all().build().expect("a runtime can be started");
    runtime.spawn(async { sleep(Duration::from_secs(3600)).await });
    runtime
}
