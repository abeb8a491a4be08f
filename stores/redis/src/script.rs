//! The scripts, one for each verb.

use std::sync::LazyLock;

use redis::Script as Source;

/// A script as it is sent: by its hash, or whole where the server does not know it yet.
pub(crate) struct Script {
    source: Source,
    code: &'static str,
    /// Whether what it does is to be waited for; see [`Durability`](crate::Durability).
    pub(crate) is_durable: bool,
}

/// One file behind the common beginning. The first line says what the server may refuse: a script
/// without `allow-oom` is, when memory is full, and one without `no-writes` by a replica.
macro_rules! script {
    ($name:ident, $file:literal, $shebang:literal, durable: $durable:literal) => {
        pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(
                concat!($shebang, include_str!("lua/prelude.lua"), include_str!($file)),
                $durable,
            )
        });
    };
}

script!(HEARTBEAT, "lua/heartbeat.lua", "#!lua flags=allow-oom\n", durable: false);
script!(CREATE, "lua/create.lua", "#!lua\n", durable: true);
script!(GET, "lua/get.lua", "#!lua flags=allow-oom\n", durable: false);
script!(WRITE, "lua/write.lua", "#!lua\n", durable: true);
script!(PUT_PART, "lua/put_part.lua", "#!lua\n", durable: true);
script!(GET_PART, "lua/get_part.lua", "#!lua flags=allow-oom\n", durable: false);
script!(CANCEL, "lua/cancel.lua", "#!lua flags=allow-oom\n", durable: true);
script!(ADOPT, "lua/adopt.lua", "#!lua flags=allow-oom\n", durable: true);
script!(FORGET, "lua/forget.lua", "#!lua flags=allow-oom\n", durable: true);

// === impl Script ===

impl Script {
    fn new(code: &'static str, is_durable: bool) -> Self {
        Self { source: Source::new(code), code, is_durable }
    }

    pub(crate) fn hash(&self) -> &str {
        self.source.get_hash()
    }

    pub(crate) fn code(&self) -> &str {
        self.code
    }
}
