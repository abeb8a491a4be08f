//! What a caller sees when a call is slow.
//!
//! Starts an axum server with slow handlers on a free port of this machine, calls it over HTTP as
//! any client would, and prints what went over the wire. It takes about eight seconds, and ends
//! with an error if anything is not as the text says.
//!
//! ```text
//! cargo run --example quickstart
//! ```

mod client;
mod screen;
mod server;

use std::{process::ExitCode, time::Duration};

use http::StatusCode;
use tokio::time::sleep;

use self::client::{Client, Error, ensure};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nquickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Error> {
    let origin = format!("http://{}", server::start().await?);
    let client = Client::new(&origin);
    screen::title("What a caller sees when a call is slow");
    screen::paragraph(&format!(
        "An axum server with slow handlers listens on {origin}.\n\
         The layer in front of them waits 300 ms for each answer."
    ));

    a_fast_call(&client).await?;
    a_late_call(&client).await?;
    progress(&client).await?;
    a_call_that_fails(&client).await?;
    a_cancellation(&client).await?;
    a_full_service(&client).await?;

    screen::title("All of it was as described");
    screen::paragraph(
        "The handlers and the layer: examples/quickstart/server.rs\n\
         A server to try with curl:  cargo run --example axum",
    );
    Ok(())
}

async fn a_fast_call(client: &Client) -> Result<(), Error> {
    screen::heading("1. A fast call is not touched");
    client.post("/greetings", "Ada").await?.print().expect(StatusCode::OK)?;
    Ok(())
}

async fn a_late_call(client: &Client) -> Result<(), Error> {
    screen::heading("2. A late call: 202 now, its answer later");
    screen::paragraph(
        "The handler takes 0.9 s and knows nothing of the layer. When its time is up, the caller\n\
         is told where the answer will be. The handler goes on meanwhile.",
    );
    let accepted = client.post("/reports", "last month").await?.print();
    let accepted = accepted.expect(StatusCode::ACCEPTED)?;
    let answer = client.follow(&accepted).await?.print();
    screen::paragraph("That is what the handler answered: status, header fields and body.");
    let answer = answer.expect(StatusCode::CREATED)?;
    ensure(answer.header("location")? == "/reports/7", "the handler's own Location comes back")
}

async fn progress(client: &Client) -> Result<(), Error> {
    screen::heading("3. A handler can say how far it is");
    screen::paragraph("Operation::current() is all that this handler uses of the crate.");
    let accepted = client.post("/imports", "catalogue.csv").await?.print_line();
    let accepted = accepted.expect(StatusCode::ACCEPTED)?;
    ensure(accepted.member("percentComplete").is_some(), "the 202 says how far it is")?;
    client.follow(&accepted).await?.print().expect(StatusCode::OK)?;
    Ok(())
}

async fn a_call_that_fails(client: &Client) -> Result<(), Error> {
    screen::heading("4. A call that fails keeps its own status");
    let accepted = client.post("/payments", "99.00").await?.print_line();
    let accepted = accepted.expect(StatusCode::ACCEPTED)?;
    client.follow(&accepted).await?.print().expect(StatusCode::PAYMENT_REQUIRED)?;
    screen::paragraph(
        "Beside the result there is a status document, which is there from the beginning on:",
    );
    let status = client.get(&accepted.text("statusUrl")?).await?.print();
    let status = status.expect(StatusCode::OK)?;
    ensure(status.text("status")? == "Failed", "the status document says that it failed")
}

async fn a_cancellation(client: &Client) -> Result<(), Error> {
    screen::heading("5. A call can be cancelled");
    screen::paragraph("This one would take an hour. DELETE drops it.");
    let accepted = client.post("/videos", "holidays").await?.print_line();
    let accepted = accepted.expect(StatusCode::ACCEPTED)?;
    let canceled = client.delete(&accepted.text("statusUrl")?).await?.print_line();
    let canceled = canceled.expect(StatusCode::ACCEPTED)?;
    sleep(Duration::from_millis(100)).await;
    client.poll(&canceled).await?.print().expect(StatusCode::GONE)?;
    Ok(())
}

async fn a_full_service(client: &Client) -> Result<(), Error> {
    screen::heading("6. A full service still answers polls");
    screen::paragraph(
        "Inside the layer, a limit lets two calls run at a time. Two long ones take both places,\n\
         so that even a fast one has to queue: it is late before it has begun.",
    );
    let (first, second) =
        tokio::try_join!(client.post("/videos", "spring"), client.post("/videos", "summer"))?;
    let first = first.print_line().expect(StatusCode::ACCEPTED)?;
    let second = second.print_line().expect(StatusCode::ACCEPTED)?;
    let queued = client.post("/greetings", "Grace").await?.print_line();
    let queued = queued.expect(StatusCode::ACCEPTED)?;

    screen::paragraph("Whoever asks for it need not queue:");
    let polled = client.get(queued.header("location")?).await?.print_line();
    let polled = polled.expect(StatusCode::ACCEPTED)?;
    ensure(polled.text("status")? == "NotStarted", "the queued call has not started")?;

    screen::paragraph("One of the two is cancelled, and the fast call gets its place:");
    let canceled = client.delete(&first.text("statusUrl")?).await?.print_line();
    canceled.expect(StatusCode::ACCEPTED)?;
    sleep(Duration::from_millis(100)).await;
    let answer = client.poll(&polled).await?.print().expect(StatusCode::OK)?;
    ensure(answer.body == "Hello, Grace!\n", "the queued call is answered in the end")?;
    client.delete(&second.text("statusUrl")?).await?.expect(StatusCode::ACCEPTED)?;
    Ok(())
}
