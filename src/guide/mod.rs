//! Guides: what to decide, and how the parts go together. Their examples are run with the tests.
//!
//! | | |
//! | --- | --- |
//! | [`when_to_use`] | whether a 202 is what you want, and what it costs your callers |
//! | [`deadline`] | after how long a call is late |
//! | [`handlers`] | handlers that say how far they are, and end when they are cancelled |
//! | [`polling`] | what a client does with a 202, and how operations end |
//! | [`securing`] | who may look at an operation |
//! | [`from_hand_written`] | from "202 and poll" written by hand to this layer |
//!
//! The whole of it in a few lines, with a clock that does not make you wait:
//!
//! ```
//! use std::time::Duration;
//! use axum::{Router, body::Body, http::{Request, StatusCode, header}, routing::post};
//! use tower::{Layer, ServiceExt};
//! use tower_respond_async::RespondAsyncLayer;
//!
//! async fn build_report() -> &'static str {
//!     tokio::time::sleep(Duration::from_secs(60)).await;
//!     "the report"
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! let routes = Router::new().route("/reports", post(build_report));
//! let app = RespondAsyncLayer::after(Duration::from_secs(2)).layer(routes);
//!
//! let request = Request::post("/reports").body(Body::empty())?;
//! let accepted = app.clone().oneshot(request).await?;
//! assert_eq!(accepted.status(), StatusCode::ACCEPTED);
//!
//! tokio::time::sleep(Duration::from_secs(61)).await;
//! let result = accepted.headers()[header::LOCATION].to_str()?;
//! let response = app.oneshot(Request::get(result).body(Body::empty())?).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

#[doc = include_str!("deadline.md")]
pub mod deadline {}

#[doc = include_str!("from_hand_written.md")]
pub mod from_hand_written {}

#[doc = include_str!("handlers.md")]
pub mod handlers {}

#[doc = include_str!("polling.md")]
pub mod polling {}

#[doc = include_str!("securing.md")]
pub mod securing {}

#[doc = include_str!("when_to_use.md")]
pub mod when_to_use {}
