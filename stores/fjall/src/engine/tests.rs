use std::time::Duration;

use bytes::Bytes;
use tower_respond_async::store::{Close, Creation, Fence, Key, NewOperation, Owner, Written};

use super::{Engine, Verb};

const RETENTION: Duration = Duration::from_millis(30);

fn owner() -> Owner {
    Owner::from_bytes([1; 16])
}

fn key(number: u8) -> Key {
    Key::from_bytes([number; 16])
}

fn create(number: u8) -> Verb {
    Box::new(move |writer| {
        let (key, head) = (key(number), Bytes::new());
        let operation = NewOperation { key, owner: owner(), idempotency: None, head };
        assert_eq!(writer.create(operation)?, Creation::Created);
        Ok(())
    })
}

fn close(number: u8, retention: Duration) -> Verb {
    Box::new(move |writer| {
        let close = Some(Close::keep(retention));
        let written = writer.write(key(number), Fence::first(owner()), Bytes::new(), close)?;
        assert_eq!(written, Written::Applied);
        Ok(())
    })
}

fn sweep(frees: u64) -> Verb {
    Box::new(move |writer| {
        assert_eq!(writer.sweep(u32::MAX)?, frees);
        Ok(())
    })
}

/// Takes as long as the retention is.
fn linger() -> Verb {
    Box::new(|writer| {
        let until = writer.clock.now() + RETENTION;
        while writer.clock.now() <= until {
            std::thread::yield_now();
        }
        Ok(())
    })
}

fn engine() -> (tempfile::TempDir, Engine) {
    let directory = tempfile::tempdir().expect("a directory");
    let engine = Engine::open(directory.path()).expect("an empty directory");
    engine.beat(owner(), Duration::from_secs(3600));
    (directory, engine)
}

fn flush(engine: &Engine, verbs: Vec<Verb>) {
    for answer in engine.flush(verbs) {
        answer.expect("a sound store");
    }
}

/// The sweep cannot see the first one yet, whose death is still to be committed, and frees one that
/// died after it.
#[test]
fn a_sweep_leaves_behind_nothing_that_died_in_its_own_commit() {
    let (_directory, engine) = engine();
    flush(&engine, vec![create(1), create(2), close(2, RETENTION)]);
    flush(&engine, vec![close(1, Duration::ZERO), linger(), sweep(1)]);
    flush(&engine, vec![sweep(1)]);
    flush(&engine, vec![sweep(0)]);
}

#[test]
fn verbs_after_one_that_panics_are_not_answered_and_the_store_recovers() {
    let (_directory, engine) = engine();
    flush(&engine, vec![create(1)]);
    let verbs: Vec<Verb> = vec![create(2), Box::new(|_| panic!("on purpose")), create(3)];
    let flushed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| engine.flush(verbs)));
    assert!(flushed.is_err());
    assert!(engine.flush(vec![create(4)]).is_empty(), "the pause is not over");
    assert!(engine.get(key(1)).expect("it can be read").is_some());
    assert!(engine.get(key(2)).expect("it can be read").is_none(), "it was never committed");
    while engine.flush(vec![create(2)]).is_empty() {
        std::thread::yield_now();
    }
    assert!(engine.get(key(2)).expect("it can be read").is_some());
}
