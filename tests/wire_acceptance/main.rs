//! What a strict checker of plain HTTP insists on, item by item, over real connections.
//!
//! An item is a test of its own for each configuration of the standard dialect and each version of
//! HTTP: `conditional::the_tag_changes_at_the_end::see_other_over_http_2`. Three configurations are
//! tried: the default one, 200 while running and then 303, and the status document.
//!
//! Handlers are held until the test lets them go, and polls are known to wait because they have
//! been seen to: no item depends on how long anything takes.

#[path = "../support/mod.rs"]
mod support;

/// Makes a test of each item for each configuration and version.
macro_rules! over_every_wire {
    ($($item:ident),+ $(,)?) => { $(
        mod $item {
            use crate::wire::{Flow, Version, Wire};

            over_every_wire! { $item;
                replay_over_http_1: Replay, Http1;
                replay_over_http_2: Replay, Http2;
                see_other_over_http_1: SeeOther, Http1;
                see_other_over_http_2: SeeOther, Http2;
                document_over_http_1: Document, Http1;
                document_over_http_2: Document, Http2;
            }
        }
    )+ };
    ($item:ident; $($name:ident: $flow:ident, $version:ident;)+) => { $(
        #[tokio::test]
        async fn $name() {
            super::$item(Wire { flow: Flow::$flow, version: Version::$version }).await;
        }
    )+ };
}

/// Makes a test of each item for each configuration, over one version.
macro_rules! in_every_flow {
    ($version:ident: $($item:ident),+ $(,)?) => { $(
        mod $item {
            use crate::wire::{Flow, Version, Wire};

            over_every_wire! { $item;
                replay: Replay, $version;
                see_other: SeeOther, $version;
                document: Document, $version;
            }
        }
    )+ };
}

mod accepting;
mod application;
mod canceling;
mod conditional;
mod crowds;
mod fast;
mod fields;
mod keys;
mod pointers;
mod prefer;
mod stored;
mod unknown;
mod waiting;
mod wire;
