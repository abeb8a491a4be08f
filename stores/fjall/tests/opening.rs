//! What is opened, and what is refused and left alone.
#![allow(clippy::unwrap_used, reason = "helpers outside of a test function are tests too")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tempfile::{TempDir, tempdir};
use tower_respond_async::store::{Close, Fence, OperationStore, StoreError};
use tower_respond_async_fjall::{FjallStore, OpenError};

use self::support::{LONG, close, create, directory, head, key, other_process, owner, tail};

mod support;

/// A closed store with ten closed operations and ten open ones.
async fn filled() -> TempDir {
    let directory = tempdir().unwrap();
    let store = FjallStore::open(directory.path()).unwrap();
    store.heartbeat(owner(1), LONG).await.unwrap();
    for number in 0..20 {
        create(&store, owner(1), number).await.unwrap();
        if number % 2 == 0 {
            close(&store, owner(1), number).await.unwrap();
        }
    }
    directory
}

/// All files below a directory. What is zero at their ends is kept as a length.
fn image(directory: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u64)> {
    let mut files = BTreeMap::new();
    for file in fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            files.extend(image(&path));
        } else {
            let mut bytes = fs::read(&path).unwrap();
            let length = bytes.len() as u64;
            while bytes.len() > 4096 && bytes[bytes.len() - 4096..] == [0; 4096] {
                bytes.truncate(bytes.len() - 4096);
            }
            files.insert(path, (bytes, length));
        }
    }
    files
}

#[test]
fn the_process_that_comes_second() {
    let Some(directory) = directory() else { return };
    match FjallStore::open(directory) {
        Err(error @ OpenError::Locked { .. }) => println!("\n@{error}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let directory = filled().await;
    let _store = FjallStore::open(directory.path()).unwrap();
    let second = other_process("the_process_that_comes_second", directory.path())
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8(second.stdout).unwrap();
    assert!(second.status.success(), "{said}");
    let expected = format!("@the operation store {} is open already", directory.path().display());
    assert!(said.contains(&expected), "{said}");
}

#[tokio::test]
async fn a_directory_is_free_again_when_its_store_is_dropped() {
    let directory = filled().await;
    let store = FjallStore::open(directory.path()).unwrap();
    let second = FjallStore::open(directory.path());
    assert!(matches!(second, Err(OpenError::Locked { .. })), "{second:?}");
    store.heartbeat(owner(2), LONG).await.unwrap();
    for number in 100..120 {
        create(&store, owner(2), number).await.unwrap();
    }
    drop(store);
    FjallStore::open(directory.path()).unwrap();
}

#[tokio::test]
async fn files_of_a_newer_format_are_refused_untouched() {
    let directory = filled().await;
    fs::write(directory.path().join("format"), "tower-respond-async-fjall 2\n").unwrap();
    let before = image(directory.path());
    let opened = FjallStore::open(directory.path());
    assert!(matches!(opened, Err(OpenError::Newer { found: 2, supported: 1, .. })), "{opened:?}");
    assert!(image(directory.path()) == before, "something was written");
}

#[test]
fn a_directory_with_something_else_is_refused_untouched() {
    let directory = tempdir().unwrap();
    fs::write(directory.path().join("letters.txt"), "dear").unwrap();
    let before = image(directory.path());
    let opened = FjallStore::open(directory.path());
    assert!(matches!(opened, Err(OpenError::Foreign { .. })), "{opened:?}");
    assert!(image(directory.path()) == before, "something was written");
}

#[test]
fn a_format_that_is_not_one_is_damage() {
    for text in ["", "tower-respond-async-fjall\n", "tower-respond-async-fjall 0\n", "\u{fffd} 1\n"]
    {
        let directory = tempdir().unwrap();
        fs::write(directory.path().join("format"), text).unwrap();
        let opened = FjallStore::open(directory.path());
        assert!(matches!(opened, Err(OpenError::Damaged { .. })), "{text:?}: {opened:?}");
    }
}

#[test]
fn a_file_in_the_place_of_the_directory_is_an_error() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "").unwrap();
    assert!(matches!(FjallStore::open(&path), Err(OpenError::Io { .. })));
}

/// What a process that ended in the middle leaves behind.
#[tokio::test]
async fn a_store_that_was_never_complete_is_made_anew() {
    let directory = filled().await;
    let path = directory.path();
    fs::rename(path.join("format"), path.join("format.new")).unwrap();
    let store = FjallStore::open(path).unwrap();
    assert_eq!(store.get(key(1)).await.unwrap(), None);
    drop(store);
    FjallStore::open(path).expect("complete now");
    assert!(!path.join("format.new").exists());
}

#[tokio::test]
async fn a_store_without_its_format_is_not_made_anew() {
    let directory = filled().await;
    fs::remove_file(directory.path().join("format")).unwrap();
    let before = image(directory.path());
    let opened = FjallStore::open(directory.path());
    assert!(matches!(opened, Err(OpenError::Foreign { .. })), "{opened:?}");
    assert!(image(directory.path()) == before, "something was written");
}

/// Each file in turn: with a byte changed, with its second half missing, empty, and missing.
#[tokio::test]
async fn damage_is_an_error_and_never_a_panic_nor_other_bytes() {
    let original = filled().await;
    let files = image(original.path());
    let mut refused = 0;
    for (damaged, (bytes, _)) in &files {
        let middle = bytes.len() / 2;
        let mut changed = bytes.clone();
        if let Some(byte) = changed.get_mut(middle) {
            *byte ^= 0xff;
        }
        let kinds = [Some(changed), Some(bytes[..middle].to_vec()), Some(Vec::new()), None];
        for (kind, damage) in kinds.into_iter().enumerate() {
            let copy = tempdir().unwrap();
            for (path, (bytes, length)) in &files {
                let to = copy.path().join(path.strip_prefix(original.path()).unwrap());
                fs::create_dir_all(to.parent().unwrap()).unwrap();
                if path != damaged {
                    fs::write(&to, bytes).unwrap();
                    fs::File::options().write(true).open(&to).unwrap().set_len(*length).unwrap();
                } else if let Some(damage) = &damage {
                    fs::write(&to, damage).unwrap();
                }
            }
            let what = damaged.strip_prefix(original.path()).unwrap().display();
            match FjallStore::open(copy.path()) {
                Err(
                    OpenError::Damaged { .. } | OpenError::Io { .. } | OpenError::Foreign { .. },
                ) => {
                    refused += 1;
                }
                Err(other) => panic!("{what}, {kind}: {other:?}"),
                Ok(store) => {
                    let mut lost = 0;
                    for number in 0..20 {
                        match store.get(key(number)).await {
                            Ok(Some(record)) => {
                                assert_eq!(record.head, head(number));
                                assert!(!record.is_closed() || record.tail == tail(number));
                            }
                            Ok(None) | Err(StoreError::Corrupt(_)) => lost += 1,
                            Err(other) => panic!("{what}, {kind}: {other:?}"),
                        }
                    }
                    // A journal that ends early is what a crash leaves behind. All else is noticed.
                    let journal = damaged.extension().is_some_and(|name| name == "jnl");
                    assert!(lost == 0 || journal && kind > 0, "{what}, {kind}: {lost} lost");
                }
            }
        }
    }
    assert!(refused > files.len(), "{refused} of {} times four", files.len());
}

#[tokio::test]
async fn retention_goes_on_while_nobody_has_the_store_open() {
    let directory = tempdir().unwrap();
    let store = FjallStore::open(directory.path()).unwrap();
    store.heartbeat(owner(1), LONG).await.unwrap();
    create(&store, owner(1), 1).await.unwrap();
    create(&store, owner(1), 2).await.unwrap();
    let retention = Duration::from_millis(300);
    let brief = Some(Close::keep(retention));
    store.write(key(1), Fence::first(owner(1)), tail(1), brief).await.unwrap();
    close(&store, owner(1), 2).await.unwrap();
    drop(store);
    tokio::time::sleep(retention).await;
    let store = FjallStore::open(directory.path()).unwrap();
    assert_eq!(store.get(key(1)).await.unwrap(), None);
    let kept = store.get(key(2)).await.unwrap().expect("an hour");
    assert!(kept.dies_in.is_some_and(|left| left < LONG && left > LONG / 2), "{kept:?}");
    assert_eq!(store.sweep(9).await.unwrap(), 1);
}

/// The bytes of all journals, which are read when the store is opened.
fn journals(directory: &Path) -> u64 {
    let files = fs::read_dir(directory.join("data")).unwrap().map(|file| file.unwrap().path());
    let journals = files.filter(|path| path.extension().is_some_and(|name| name == "jnl"));
    journals.map(|path| fs::metadata(path).map_or(0, |file| file.len())).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_restart_has_to_read_does_not_grow_with_what_was_written() {
    let directory = tempdir().unwrap();
    let store = FjallStore::open(directory.path()).unwrap();
    store.heartbeat(owner(1), LONG).await.unwrap();
    create(&store, owner(1), 0).await.unwrap();
    let by = Fence::first(owner(1));
    for number in 0..200_u64 {
        let tail = number.to_be_bytes().repeat(128 << 10).into();
        store.write(key(0), by, tail, None).await.unwrap();
    }
    // They are written into tables by threads of the database.
    let mut left = journals(directory.path());
    for _ in 0..1_000 {
        if left <= 100 << 20 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        left = journals(directory.path());
    }
    assert!(left <= 100 << 20, "{left} bytes of journals after 200 MiB of writes");
}

#[cfg(unix)]
#[tokio::test]
async fn a_directory_that_is_made_is_for_its_user_alone_and_one_that_is_there_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt;

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let parent = tempdir().unwrap();
    let made = parent.path().join("made");
    drop(FjallStore::open(&made).unwrap());
    assert_eq!(mode(&made), 0o700);
    let there = parent.path().join("there");
    fs::create_dir(&there).unwrap();
    fs::set_permissions(&there, fs::Permissions::from_mode(0o750)).unwrap();
    drop(FjallStore::open(&there).unwrap());
    assert_eq!(mode(&there), 0o750);
}
