//! A cluster of three primaries, each with a part of the slots.
#![allow(clippy::unwrap_used, reason = "helpers outside of a test function are tests too")]

use std::{process::Command, time::Duration};

use bytes::Bytes;
use tokio::time::{sleep, timeout};
use tower_respond_async::store::{
    Close, Creation, Fence, Hint, Key, NewOperation, OperationStore, Owner, Written,
};
use tower_respond_async_redis::{
    Durability, RedisStore,
    redis::{Client, ProtocolVersion, cluster::ClusterClient, cmd},
};

use self::server::Server;

mod server;

const LONG: Duration = Duration::from_secs(3_600);

struct Cluster {
    nodes: Vec<Server>,
    ports: Vec<u16>,
}

// === impl Cluster ===

impl Cluster {
    async fn start() -> Self {
        let mut nodes = Vec::new();
        let mut ports = Vec::new();
        while nodes.len() < 3 {
            let port = free_port();
            let (own, bus) = (port.to_string(), free_port().to_string());
            let options = ["--port", &own, "--cluster-port", &bus, "--cluster-enabled", "yes"];
            nodes.push(Server::start(&options).await);
            ports.push(port);
        }
        let cluster = Self { nodes, ports };
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(cluster.ports.iter().map(|port| format!("127.0.0.1:{port}")))
            .args(["--cluster-replicas", "0", "--cluster-yes"])
            .output()
            .expect("redis-cli comes with redis-server");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        for node in &cluster.nodes {
            let up = async {
                while !is_up(node) {
                    sleep(Duration::from_millis(50)).await;
                }
            };
            timeout(Duration::from_secs(60), up).await.expect("all nodes know of all slots");
        }
        cluster
    }

    fn store(&self, namespace: &str, durability: Durability) -> RedisStore {
        let nodes = self.ports.iter().map(|port| format!("redis://127.0.0.1:{port}"));
        let client = ClusterClient::new(nodes).unwrap();
        RedisStore::cluster(client).namespace(namespace).durability(durability).build().unwrap()
    }
}

fn is_up(node: &Server) -> bool {
    let mut connection = Client::open(node.url()).unwrap().get_connection().unwrap();
    let info: String = cmd("CLUSTER").arg("INFO").query(&mut connection).unwrap();
    info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

fn key(number: u8) -> Key {
    Key::from_bytes([number; 16])
}

fn operation(number: u8, owner: Owner) -> NewOperation {
    NewOperation {
        key: key(number),
        owner,
        idempotency: Some([number; 32]),
        head: Bytes::from_static(b"head"),
    }
}

/// Every verb, on operations enough for each slot's node to be hit if keys were spread.
async fn all_verbs(store: &RedisStore) {
    let (first, second) = (Owner::random(), Owner::random());
    let by = Fence::first(first);
    store.heartbeat(first, LONG).await.unwrap();
    for number in 0..10 {
        assert_eq!(store.create(operation(number, first)).await.unwrap(), Creation::Created);
    }
    let joined = NewOperation { key: key(99), ..operation(0, first) };
    assert!(matches!(store.create(joined).await.unwrap(), Creation::Exists(_)));
    let closed = store.write(key(0), by, "result".into(), Some(Close::keep(LONG))).await;
    assert_eq!(closed.unwrap(), Written::Applied);
    assert_eq!(&store.get(key(0)).await.unwrap().expect("it is there").tail[..], b"result");
    store.cancel(key(1)).await.unwrap();
    assert_eq!(store.heartbeat(first, LONG).await.unwrap().cancel, [key(1)]);
    store.heartbeat(first, Duration::ZERO).await.unwrap();
    let lease = Duration::from_millis(300);
    let adopted = async {
        loop {
            store.heartbeat(second, lease).await.unwrap();
            let given = store.adopt(second, 20).await.unwrap();
            if !given.is_empty() {
                break given;
            }
            sleep(lease / 10).await;
        }
    };
    let given = timeout(Duration::from_secs(30), adopted).await.expect("the owner has left");
    let keys: Vec<_> = given.iter().map(|record| record.key).collect();
    assert_eq!(keys, Vec::from_iter((1..10).map(key)));
    store.forget(key(0)).await.unwrap();
    assert_eq!(store.get(key(0)).await.unwrap(), None);
}

#[tokio::test]
async fn every_verb_works_wherever_the_slot_of_the_namespace_is() {
    let cluster = Cluster::start().await;
    let mut used = 0;
    for number in 0..12 {
        all_verbs(&cluster.store(&format!("ns-{number}"), Durability::Applied)).await;
    }
    for node in &cluster.nodes {
        let mut connection = Client::open(node.url()).unwrap().get_connection().unwrap();
        let keys: u64 = cmd("DBSIZE").query(&mut connection).unwrap();
        used += u64::from(keys > 0);
    }
    assert_eq!(used, 3, "namespaces are spread over the nodes");
}

#[tokio::test]
async fn replicas_are_waited_for_on_the_node_of_the_namespace() {
    let cluster = Cluster::start().await;
    let within = Duration::from_millis(50);
    let none = cluster.store("ns", Durability::Replicated { replicas: 0, within });
    all_verbs(&none).await;
    let one = cluster.store("ns", Durability::Replicated { replicas: 1, within });
    let owner = Owner::random();
    one.heartbeat(owner, LONG).await.unwrap();
    let refused = one.create(operation(50, owner)).await;
    assert!(refused.is_err(), "there is no replica: {refused:?}");
    assert!(one.get(key(50)).await.unwrap().is_some(), "perhaps applied, and it was");
}

#[tokio::test]
async fn the_store_finds_a_namespace_that_moved_to_another_node() {
    let cluster = Cluster::start().await;
    let store = cluster.store("ns", Durability::Applied);
    let owner = Owner::random();
    store.heartbeat(owner, LONG).await.unwrap();
    store.create(operation(1, owner)).await.unwrap();

    let connect = |node: &Server| Client::open(node.url()).unwrap().get_connection().unwrap();
    let mut first = connect(&cluster.nodes[0]);
    let slot: u16 = cmd("CLUSTER").arg("KEYSLOT").arg("{ns}:n").query(&mut first).unwrap();
    let mut sizes = Vec::new();
    for node in &cluster.nodes {
        let keys: u64 = cmd("DBSIZE").query(&mut connect(node)).unwrap();
        sizes.push(keys);
    }
    let from = sizes.iter().position(|&keys| keys > 0).expect("some node has it");
    let to = (from + 1) % 3;
    let id =
        |node: &Server| -> String { cmd("CLUSTER").arg("MYID").query(&mut connect(node)).unwrap() };
    let (source, target) = (id(&cluster.nodes[from]), id(&cluster.nodes[to]));
    let setslot = |node: &Server, what: &str, whom: &str| {
        let mut set = cmd("CLUSTER");
        let () =
            set.arg("SETSLOT").arg(slot).arg(what).arg(whom).query(&mut connect(node)).unwrap();
    };
    setslot(&cluster.nodes[to], "IMPORTING", &source);
    setslot(&cluster.nodes[from], "MIGRATING", &target);
    let mut old = connect(&cluster.nodes[from]);
    let keys: Vec<Vec<u8>> =
        cmd("CLUSTER").arg("GETKEYSINSLOT").arg(slot).arg(1_000).query(&mut old).unwrap();
    for key in &keys {
        let mut migrate = cmd("MIGRATE");
        let port = cluster.ports[to];
        let () =
            migrate.arg("127.0.0.1").arg(port).arg(key).arg(0).arg(5_000).query(&mut old).unwrap();
    }
    for node in [to, from] {
        setslot(&cluster.nodes[node], "NODE", &target);
    }

    let found = async {
        loop {
            if let Ok(found) = store.get(key(1)).await {
                break found;
            }
        }
    };
    let found = timeout(Duration::from_secs(30), found).await.expect("the store follows");
    assert_eq!(&found.expect("it moved along").head[..], b"head");
    let by = Fence::first(owner);
    let closed = store.write(key(1), by, "result".into(), Some(Close::keep(LONG))).await;
    assert_eq!(closed.unwrap(), Written::Applied);
}

#[tokio::test]
async fn a_change_is_told_across_the_nodes_and_a_lost_subscription_is_made_again() {
    let cluster = Cluster::start().await;
    let nodes = cluster.ports.iter().map(|port| format!("redis://127.0.0.1:{port}"));
    let client =
        ClusterClient::builder(nodes).use_protocol(ProtocolVersion::RESP3).build().unwrap();
    let elsewhere = RedisStore::cluster(client).namespace("ns").build().unwrap();
    let here = cluster.store("ns", Durability::Applied);
    let owner = Owner::random();
    here.heartbeat(owner, LONG).await.unwrap();
    for number in 1..=4 {
        here.create(operation(number, owner)).await.unwrap();
    }
    let hint = async || timeout(Duration::from_secs(60), elsewhere.hint()).await.expect("a hint");
    assert_eq!(hint().await, Hint::Missed);
    here.cancel(key(4)).await.unwrap();
    assert_eq!(hint().await, Hint::Changed(key(4)));
    for number in 1..=3 {
        for node in &cluster.nodes {
            let mut connection = Client::open(node.url()).unwrap().get_connection().unwrap();
            let mut kill = cmd("CLIENT");
            let _: u64 = kill.arg("KILL").arg("TYPE").arg("PUBSUB").query(&mut connection).unwrap();
        }
        assert_eq!(hint().await, Hint::Missed);
        let closed =
            here.write(key(number), Fence::first(owner), "end".into(), Some(Close::keep(LONG)));
        assert_eq!(closed.await.unwrap(), Written::Applied);
        assert_eq!(hint().await, Hint::Changed(key(number)));
    }
}

#[tokio::test]
async fn a_client_of_the_older_protocol_hears_nothing_and_misses_nothing_else() {
    let cluster = Cluster::start().await;
    let store = cluster.store("ns", Durability::Applied);
    all_verbs(&store).await;
    assert!(timeout(Duration::from_millis(100), store.hint()).await.is_err());
}
