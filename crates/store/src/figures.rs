//! Figures about a store, for the metrics.

/// Figures about a store at one moment.
#[derive(Debug, Clone, Default)]
pub struct StoreFigures {
    /// The pools of connections.
    pub pools: Vec<PoolFigures>,
    /// The caches of rows.
    pub caches: Vec<CacheFigures>,
}

/// Figures about a pool of connections.
#[derive(Debug, Clone, Copy)]
pub struct PoolFigures {
    /// The use of the connections, such as `read`.
    pub name: &'static str,
    /// How many connections are open.
    pub open: u32,
    /// How many of them wait for work.
    pub idle: u32,
    /// How many may be open.
    pub most: u32,
}

/// Figures about a cache.
#[derive(Debug, Clone, Copy)]
pub struct CacheFigures {
    /// The kind of the rows.
    pub rows: &'static str,
    /// How many lookups found the row in the cache.
    pub hits: u64,
    /// How many lookups had to ask the database.
    pub misses: u64,
    /// How many rows are in the cache.
    pub size: u64,
}
