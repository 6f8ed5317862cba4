//! The WebAssembly engine: compile, link, and make instances.
//!
//! Purpose: one engine for all components, with time slices, a memory limit per instance, and a
//! compilation cache, so that a second start is quick.
//! Does not: know about triggers or the manifest.
//! Invariant: an instance never outgrows its memory limit, and guest code gives up its thread at
//! least every [`EPOCH_TICK`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{Component, HasData, InstancePre, Linker, ResourceTable};
use wasmtime::{
    Cache, CacheConfig, Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
    StoreLimits, StoreLimitsBuilder, UpdateDeadline,
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::allowed_hosts::AllowedHosts;
use crate::bindings;
use crate::factors::http_out::OutboundHttp;
use crate::factors::kv::KeyValueStore;
use crate::factors::output::{Channel, LogStream};
use crate::factors::redis::SharedConnections;
use crate::faults::Faults;
use crate::plug_in::{self, PlugIn, PlugInError};
use crate::telemetry::{PoolRefused, emit};

/// How often running guest code yields, so that a loop can be timed out.
pub const EPOCH_TICK: Duration = Duration::from_millis(10);

/// Instances alive at once, in the whole application, as in Spin.
pub const INSTANCES_MAX: u32 = 1000;

/// Core instances for each component instance: the module itself and the adapters a linker adds.
const CORE_INSTANCES_PER_COMPONENT: u32 = 6;

/// Metadata of one core instance, in bytes: Spin's number, ample for Rust components.
const INSTANCE_METADATA_BYTES_MAX: usize = 10 << 20;

/// The largest memory a wasm32 instance can address, in bytes; the real limit is per instance.
const ADDRESSABLE_BYTES_MAX: usize = 4 << 30;

/// The memory an instance may take by default, in bytes.
pub const INSTANCE_MEMORY_BYTES_DEFAULT: usize = 256 << 20;

/// What a component is given: its grants, resolved.
pub struct ComponentState {
    /// The component's id in the manifest.
    pub id: Arc<str>,
    /// Its variables.
    pub variables: BTreeMap<String, String>,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// The stores it may open, by label.
    pub stores: BTreeMap<String, KeyValueStore>,
    /// Its connections to Redis, shared by its instances.
    pub redis: SharedConnections,
    /// The hosts it may reach.
    pub allowed_hosts: Arc<AllowedHosts>,
    /// How far each memory of an instance may grow, in bytes.
    pub memory_bytes_max: usize,
    /// How many time slices of [`EPOCH_TICK`] the guest code of an instance may run in all.
    pub slices_max: Option<u64>,
    /// Instances at once; as many as there are requests when `None`.
    pub instances_max: Option<usize>,
    /// What goes wrong in it; `None` outside of tests.
    pub faults: Option<Faults>,
}

/// What the engine keeps beside each instance.
pub struct InstanceState {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound_http: OutboundHttp,
    table: ResourceTable,
    limits: StoreLimits,
    slices: u64,
    redis_connections: usize,
    component: Arc<ComponentState>,
}

/// What host functions see of an instance.
pub struct HostView<'a> {
    /// Open stores and connections.
    pub table: &'a mut ResourceTable,
    /// The component's grants.
    pub component: &'a Arc<ComponentState>,
    /// Redis connections now open.
    pub redis_connections: &'a mut usize,
}

/// Ties [`HostView`] to the generated bindings.
pub struct HostData;

impl HasData for HostData {
    type Data<'a> = HostView<'a>;
}

impl WasiView for InstanceState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for InstanceState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outbound_http, table: &mut self.table, ctx: &mut self.http }
    }
}

impl InstanceState {
    fn new(component: &Arc<ComponentState>) -> Self {
        let stream = |channel| LogStream::new(Arc::clone(&component.id), channel);
        let mut wasi = WasiCtx::builder();
        wasi.stdout(stream(Channel::Stdout)).stderr(stream(Channel::Stderr));
        for (name, value) in &component.environment {
            wasi.env(name, value);
        }
        if let Some(faults) = &component.faults {
            wasi.wall_clock(faults.guest_clock()).monotonic_clock(faults.guest_clock());
        }
        Self {
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            outbound_http: OutboundHttp {
                component: Arc::clone(&component.id),
                allowed: Arc::clone(&component.allowed_hosts),
                faults: component.faults.clone(),
            },
            table: ResourceTable::new(),
            limits: StoreLimitsBuilder::new().memory_size(component.memory_bytes_max).build(),
            slices: 0,
            redis_connections: 0,
            component: Arc::clone(component),
        }
    }

    fn host(&mut self) -> HostView<'_> {
        HostView {
            table: &mut self.table,
            component: &self.component,
            redis_connections: &mut self.redis_connections,
        }
    }
}

/// Why a component cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is not there.
    #[error(
        "component `{component}`: {path} is not there; build the components first (cargo xtask components)"
    )]
    Missing {
        /// The component's id.
        component: String,
        /// The file looked for.
        path: PathBuf,
    },
    /// The file is no component this engine can compile.
    #[error("component `{component}`: {path} cannot be compiled: {message}")]
    Compile {
        /// The component's id.
        component: String,
        /// The file.
        path: PathBuf,
        /// The engine's words.
        message: String,
    },
    /// It needs something this host does not have.
    #[error(
        "component `{component}` imports `{import}`, which this host does not offer; \
         it offers WASI 0.2 and 0.3, wasi:http, spin:key-value, spin:redis and spin:variables"
    )]
    Import {
        /// The component's id.
        component: String,
        /// The interface it wants.
        import: String,
    },
    /// It imports a known interface in an unknown version or shape.
    #[error("component `{component}` does not fit this host: {message}")]
    Link {
        /// The component's id.
        component: String,
        /// The linker's words.
        message: String,
    },
    /// It and its plug-ins do not go together.
    #[error("component `{component}`: {source}")]
    PlugIn {
        /// The component's id.
        component: String,
        /// Which, and why.
        source: PlugInError,
    },
    /// It lacks the export its trigger calls.
    #[error("component `{component}` has {trigger} triggers but exports no `{export}`")]
    Export {
        /// The component's id.
        component: String,
        /// `http` or `redis`.
        trigger: &'static str,
        /// The interface it lacks.
        export: &'static str,
    },
}

/// Its guest code ran longer than it may.
#[derive(Debug, thiserror::Error)]
#[error("the guest ran longer than the manifest's cpu_ms_max lets it")]
struct OutOfTime;

/// The engine and everything it links.
#[derive(Clone)]
pub struct Host {
    engine: Engine,
    linker: Arc<Linker<InstanceState>>,
}

impl Host {
    /// Starts an engine that keeps compiled code under `cache`.
    ///
    /// # Errors
    /// When the cache folder cannot be used or the machine lacks what the engine needs.
    pub fn new(cache: &Path) -> wasmtime::Result<Self> {
        let engine = Engine::new(&config(cache, pooling())?).or_else(|error| {
            emit(PoolRefused { error: &error });
            Engine::new(&config(cache, InstanceAllocationStrategy::OnDemand)?)
        })?;
        start_epoch_ticks(&engine);
        let linker = Arc::new(linker(&engine)?);
        Ok(Self { engine, linker })
    }

    /// Compiles and links the component at `path`, made one with its plug-ins.
    ///
    /// # Errors
    /// [`LoadError`], naming the component.
    pub fn load(
        &self,
        component: &str,
        path: &Path,
        plug_ins: &[PlugIn],
    ) -> Result<InstancePre<InstanceState>, LoadError> {
        let name = || component.to_owned();
        let Ok(bytes) = std::fs::read(path) else {
            return Err(LoadError::Missing { component: name(), path: path.to_owned() });
        };
        let whole = match plug_ins {
            [] => bytes,
            plug_ins => plug_in::compose(bytes, plug_ins)
                .map_err(|source| LoadError::PlugIn { component: name(), source })?,
        };
        let compiled = Component::new(&self.engine, whole).map_err(|error| LoadError::Compile {
            component: name(),
            path: path.to_owned(),
            message: format!("{error:#}"),
        })?;
        let shape = compiled.component_type();
        let unknown = shape.imports(&self.engine).find(|(import, _)| !is_offered(import));
        if let Some((import, _)) = unknown {
            return Err(LoadError::Import { component: name(), import: import.to_owned() });
        }
        self.linker
            .instantiate_pre(&compiled)
            .map_err(|error| LoadError::Link { component: name(), message: format!("{error:#}") })
    }

    /// A store for one new instance of `component`.
    pub fn store(&self, component: &Arc<ComponentState>) -> Store<InstanceState> {
        let mut store = Store::new(&self.engine, InstanceState::new(component));
        store.limiter(|state| &mut state.limits);
        match component.slices_max {
            None => store.epoch_deadline_async_yield_and_update(1),
            Some(max) => store.epoch_deadline_callback(move |mut instance| {
                let slices = &mut instance.data_mut().slices;
                *slices += 1;
                if *slices > max { Err(OutOfTime.into()) } else { Ok(UpdateDeadline::Yield(1)) }
            }),
        }
        store.set_epoch_deadline(1);
        store
    }
}

fn is_offered(import: &str) -> bool {
    const OFFERED: &[&str] = &[
        "wasi:cli/",
        "wasi:clocks/",
        "wasi:filesystem/",
        "wasi:http/client",
        "wasi:http/types",
        "wasi:http/outgoing-handler",
        "wasi:io/",
        "wasi:random/",
        "wasi:sockets/",
        "spin:key-value/key-value@",
        "spin:redis/redis@",
        "spin:variables/variables@",
    ];
    OFFERED.iter().any(|offered| import.starts_with(offered))
}

fn config(cache: &Path, allocation: InstanceAllocationStrategy) -> wasmtime::Result<Config> {
    let mut cached = CacheConfig::new();
    cached.with_directory(cache);
    let mut config = Config::new();
    config
        .wasm_component_model_async(true)
        .epoch_interruption(true)
        .allocation_strategy(allocation)
        .cache(Some(Cache::new(cached)?));
    Ok(config)
}

fn pooling() -> InstanceAllocationStrategy {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCES_MAX)
        .total_core_instances(INSTANCES_MAX * CORE_INSTANCES_PER_COMPONENT)
        .total_memories(INSTANCES_MAX)
        .total_tables(INSTANCES_MAX * CORE_INSTANCES_PER_COMPONENT)
        .total_stacks(INSTANCES_MAX)
        .max_component_instance_size(INSTANCE_METADATA_BYTES_MAX)
        .max_core_instance_size(INSTANCE_METADATA_BYTES_MAX)
        .max_memory_size(ADDRESSABLE_BYTES_MAX);
    InstanceAllocationStrategy::Pooling(pool)
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<InstanceState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    bindings::key_value::add_to_linker::<_, HostData>(&mut linker, InstanceState::host)?;
    bindings::redis::add_to_linker::<_, HostData>(&mut linker, InstanceState::host)?;
    bindings::variables::add_to_linker::<_, HostData>(&mut linker, InstanceState::host)?;
    Ok(linker)
}

/// Advances the epoch until the engine is gone. A thread of its own: the runtime's threads are the
/// ones that guest code may be holding.
fn start_epoch_ticks(engine: &Engine) {
    let engine = engine.weak();
    std::thread::spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(EPOCH_TICK);
        }
    });
}
