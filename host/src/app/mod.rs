//! The whole application in one process: state folder, Redis, components, triggers, ticks.
//!
//! Purpose: start everything in order, each step told to the operator, and stop it in the opposite
//! order. `homeostat up`, the demo and the tests all start it here.
//! Does not: read arguments or the environment, handle signals, or print; its caller does.
//! Invariant: when [`App::start`] fails, nothing it started is left running.

mod error;
mod plan;
mod summary;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::away::Away;
use crate::durability::{self, Judged, Told};
use crate::engine::{Host, InstanceState};
use crate::factors::redis::{RedisTimeouts, client, connect};
use crate::faults::Faults;
use crate::redis_server::RedisServer;
use crate::state_dir::{ApiToken, REDIS_ADDRESS_FILE, SERVING_FILE, StateDir};
use crate::stop::{Stop, Stopper, channel};
use crate::telemetry::{ChannelsUnheard, PartFailed, WorkGivenUp, emit};
use crate::ticker::{self, Ticker};
use crate::trigger_http::HttpTrigger;
use crate::trigger_redis::{AddressTrigger, Hearing, Subscriber, shown};
use crate::waiting_room;
use plan::{Inputs, Plan};
use wasmtime::component::InstancePre;

pub use error::AppError;

/// The state folder when none is named.
pub const STATE_DIR_DEFAULT: &str = ".homeostat";

/// How long requests and messages in flight may take to finish when stopping.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

/// How long a Redis server that was named may take to answer at start.
const REDIS_WAIT: Duration = Duration::from_secs(30);

/// How often it is asked.
const REDIS_POLL: Duration = Duration::from_millis(200);

/// Takes one line about the start for the operator.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// What a hook is told once the application listens.
#[derive(Clone)]
pub struct Ready {
    /// Where HTTP is served.
    pub http_addr: SocketAddr,
    /// The Redis server, without a database; `None` when the manifest has no `redis_url`.
    pub redis_url: Option<String>,
    /// The admin token; `None` in development mode or when the manifest has no `api_token`.
    pub api_token: Option<ApiToken>,
    /// The configuration file named on the command line.
    pub config: Option<PathBuf>,
}

/// Called once when the application listens, before the first tick; its failure fails the start.
pub type OnReady = Arc<dyn Fn(Ready) -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>;

/// How to start. No `Debug`: variables hold secrets.
#[derive(Clone)]
pub struct Options {
    /// The manifest.
    pub manifest: PathBuf,
    /// `runtime-config.toml`, if any.
    pub runtime_config: Option<PathBuf>,
    /// Where to serve HTTP; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The state folder; otherwise the runtime configuration's, otherwise [`STATE_DIR_DEFAULT`].
    pub state_dir: Option<PathBuf>,
    /// Where compiled components are kept; `cache` in the state folder when `None`.
    pub cache_dir: Option<PathBuf>,
    /// A Redis server to use, `redis://host:port`; a private one when `None`.
    pub redis: Option<String>,
    /// `--variable` values.
    pub variables: BTreeMap<String, String>,
    /// The environment, for `SPIN_VARIABLE_*`.
    pub environment: BTreeMap<String, String>,
    /// `homeostat.toml`, handed to the hook.
    pub config: Option<PathBuf>,
    /// How long a guest may take to begin a response.
    pub request_timeout: Duration,
    /// What to do every [`ticker::TICK_PERIOD`].
    pub ticker: Option<Ticker>,
    /// What to do once it listens.
    pub on_ready: Option<OnReady>,
    /// Where lines about the start go.
    pub progress: Progress,
    /// What goes wrong, for tests. No argument, variable or manifest sets it.
    pub faults: Option<Faults>,
}

impl Options {
    /// The defaults for `manifest`: loopback on a free port, private Redis, silent.
    pub fn new(manifest: impl Into<PathBuf>) -> Self {
        Self {
            manifest: manifest.into(),
            runtime_config: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            state_dir: None,
            cache_dir: None,
            redis: None,
            variables: BTreeMap::new(),
            environment: BTreeMap::new(),
            config: None,
            request_timeout: crate::trigger_http::REQUEST_TIMEOUT_DEFAULT,
            ticker: None,
            on_ready: None,
            progress: Arc::new(|_| {}),
            faults: None,
        }
    }
}

/// Starts applications.
pub struct App;

/// A running application.
pub struct Running {
    /// Where HTTP is served.
    pub http_addr: SocketAddr,
    /// The Redis server, without a database; `None` when the manifest has no `redis_url`.
    pub redis_url: Option<String>,
    /// The admin token; `None` in development mode or when the manifest has no `api_token`.
    pub api_token: Option<ApiToken>,
    stopper: Stopper,
    tasks: JoinSet<()>,
    redis: Option<RedisServer>,
    state: StateDir,
}

impl App {
    /// Starts everything and returns when it serves.
    ///
    /// # Errors
    /// [`AppError`], saying what to do; nothing is left running.
    pub async fn start(options: Options) -> Result<Running, AppError> {
        let inputs = Inputs::read(&options)?;
        let state = StateDir::open(&inputs.state_dir)?;
        let listener = TcpListener::bind(options.listen)
            .await
            .map_err(|source| AppError::Listen { address: options.listen, source })?;
        let (redis_url, redis) = start_redis(&inputs, &state, &options.progress).await?;
        match start_app(options, inputs, state, listener, redis_url).await {
            Ok(running) => Ok(Running { redis, ..running }),
            Err(error) => {
                if let Some(redis) = redis {
                    redis.stop().await;
                }
                Err(error)
            }
        }
    }
}

impl Running {
    /// Waits until a part of the application ends by itself, which none should.
    pub async fn ended(&mut self) {
        if let Some(Err(error)) = self.tasks.join_next().await {
            emit(PartFailed { error: &error });
        }
    }

    /// Stops: no new work, [`SHUTDOWN_GRACE`] for what is in flight, then Redis.
    pub async fn shutdown(mut self) {
        self.stopper.stop();
        let finished = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(SHUTDOWN_GRACE, finished).await.is_err() {
            emit(WorkGivenUp { after: SHUTDOWN_GRACE });
            self.tasks.shutdown().await;
        }
        if let Some(redis) = self.redis.take() {
            redis.stop().await;
        }
        if let Err(error) = self.state.forget(SERVING_FILE) {
            tracing::warn!(%error, "the note of where it serves is left behind");
        }
    }
}

/// The Redis server of the application: the one named, or a private one, or none if the manifest
/// does not ask for any.
async fn start_redis(
    inputs: &Inputs,
    state: &StateDir,
    progress: &Progress,
) -> Result<(Option<String>, Option<RedisServer>), AppError> {
    if !inputs.wants_redis() {
        return Ok((None, None));
    }
    if let Some(url) = inputs.given_redis()? {
        let place = shown(&url);
        progress(&format!("Waiting for Redis at {place}"));
        let told = wait_for_redis(&url).await?;
        warnings(&place, &told).iter().for_each(|warning| progress(warning));
        state.note(REDIS_ADDRESS_FILE, &place)?;
        return Ok((Some(url), None));
    }
    state.forget(REDIS_ADDRESS_FILE)?;
    let started = Instant::now();
    let folder = state.join("redis");
    let server = RedisServer::start(&folder).await?;
    progress(&format!("Redis at {} (data in {}), {}", server.url(), folder.display(), seconds(started)));
    Ok((Some(server.url()), Some(server)))
}

/// What an operator should know of a server that may lose what it acknowledged.
fn warnings(place: &str, told: &Told) -> Vec<String> {
    let judged = durability::judge(told);
    let faults = judged.iter().filter_map(Judged::fault);
    faults.map(|fault| format!("WARNING: Redis at {place} {}\n  {}", fault.text, fault.mend)).collect()
}

/// Waits until it answers, and gives what it tells of its durability.
async fn wait_for_redis(url: &str) -> Result<Told, AppError> {
    let deadline = Instant::now() + REDIS_WAIT;
    let failed = |source| AppError::Redis { address: shown(url), source };
    let client = client(url).map_err(failed)?;
    loop {
        let ask = async {
            let mut server = connect(&client, RedisTimeouts::default()).await?;
            redis::cmd("PING").exec_async(&mut server).await?;
            Ok(durability_of(&mut server).await)
        };
        match ask.await {
            Ok(told) => return Ok(told),
            Err(error) if Instant::now() > deadline || !is_passing(&error) => return Err(failed(error)),
            Err(_) => tokio::time::sleep(REDIS_POLL).await,
        }
    }
}

async fn durability_of(server: &mut MultiplexedConnection) -> Told {
    let mut told = Told::new();
    for name in durability::SETTINGS {
        let mut ask = redis::cmd("CONFIG");
        // Refused by many managed servers: then it is simply not known.
        let Ok(answer) = ask.arg("GET").arg(name).query_async::<Vec<String>>(server).await else { continue };
        told.extend(answer.get(1).map(|value| (name.to_owned(), value.clone())));
    }
    told
}

/// Whether waiting may help: the server is not there yet, or loads its data.
fn is_passing(error: &redis::RedisError) -> bool {
    error.is_io_error() || error.is_timeout() || error.code() == Some("LOADING")
}

async fn start_app(
    options: Options,
    inputs: Inputs,
    state: StateDir,
    listener: TcpListener,
    redis_url: Option<String>,
) -> Result<Running, AppError> {
    let plan = inputs.resolve(&state, redis_url.as_deref(), options.listen, &options.progress)?;
    let cache = options.cache_dir.clone().unwrap_or_else(|| state.join("cache"));
    let host = Host::new(&cache).map_err(AppError::Engine)?;
    let loaded = tokio::select! {
        loaded = load(&host, &plan, &options.progress) => loaded?,
        never = waiting_room::turn_away(&listener) => match never {},
    };
    let http_addr =
        listener.local_addr().map_err(|source| AppError::Listen { address: options.listen, source })?;
    let (stopper, stop) = channel();
    let Triggers { http, redis } = triggers(&host, &plan, &loaded, &options, &stop)?;
    let api_token = plan.api_token.clone();
    (options.progress)(&summary::text(&plan, http_addr));
    let mut tasks = JoinSet::new();
    tasks.spawn(Arc::new(http).serve(listener));
    hear(redis, &mut tasks, &stop).await;
    let running = Running { http_addr, redis_url, api_token, stopper, tasks, redis: None, state };
    finish(running, options, stop).await
}

/// Calls the hook, notes where it serves, then begins to tick.
async fn finish(mut running: Running, options: Options, stop: Stop) -> Result<Running, AppError> {
    if let Some(on_ready) = options.on_ready {
        let ready = Ready {
            http_addr: running.http_addr,
            redis_url: running.redis_url.clone(),
            api_token: running.api_token.clone(),
            config: options.config,
        };
        if let Err(error) = on_ready(ready).await {
            running.shutdown().await;
            return Err(AppError::OnReady(error));
        }
    }
    if let Err(error) = running.state.note(SERVING_FILE, &format!("http://{}", running.http_addr)) {
        running.shutdown().await;
        return Err(error.into());
    }
    if let (Some(ticker), Some(redis_url)) = (options.ticker, running.redis_url.clone()) {
        running.tasks.spawn(ticker::run(ticker, redis_url, stop));
    }
    Ok(running)
}

type Loaded = BTreeMap<String, InstancePre<InstanceState>>;

/// Compiles all components at the same time.
async fn load(host: &Host, plan: &Plan, progress: &Progress) -> Result<Loaded, AppError> {
    progress(&format!("Loading {} components (the first start compiles them)", plan.components.len()));
    let mut loading = JoinSet::new();
    for (id, component) in &plan.components {
        let (host, id, path) = (host.clone(), id.clone(), component.path.clone());
        let plug_ins = component.plug_ins.clone();
        loading.spawn_blocking(move || {
            let started = Instant::now();
            host.load(&id, &path, &plug_ins).map(|loaded| (id, loaded, started))
        });
    }
    let mut all = Loaded::new();
    while let Some(result) = loading.join_next().await {
        let (id, loaded, started) = result.map_err(|error| AppError::Internal(error.to_string()))??;
        progress(&format!("Component {id} ready, {}", seconds(started)));
        all.insert(id, loaded);
    }
    Ok(all)
}

struct Triggers {
    http: HttpTrigger,
    redis: Vec<AddressTrigger>,
}

fn triggers(
    host: &Host,
    plan: &Plan,
    loaded: &Loaded,
    options: &Options,
    stop: &Stop,
) -> Result<Triggers, AppError> {
    let mut http = HttpTrigger::new(plan.routes()?, stop.clone());
    for id in plan.http_components() {
        let (component, instance) = planned(plan, loaded, id)?;
        http.add(host, &component.state, instance, options.request_timeout)?;
    }
    let away = Arc::new(Away::default());
    let mut by_address: BTreeMap<&str, AddressTrigger> = BTreeMap::new();
    for trigger in &plan.redis {
        let (component, instance) = planned(plan, loaded, &trigger.component)?;
        let subscriber = Subscriber::new(host, &component.state, instance)?;
        by_address
            .entry(&trigger.address)
            .or_insert_with(|| AddressTrigger::new(trigger.address.clone(), Arc::clone(&away)))
            .add(trigger.channel.clone(), Arc::new(subscriber));
    }
    Ok(Triggers { http, redis: by_address.into_values().collect() })
}

fn planned<'a>(
    plan: &'a Plan,
    loaded: &Loaded,
    id: &str,
) -> Result<(&'a plan::PlannedComponent, InstancePre<InstanceState>), AppError> {
    match (plan.components.get(id), loaded.get(id)) {
        (Some(component), Some(instance)) => Ok((component, instance.clone())),
        _ => Err(AppError::Internal(format!("component `{id}` was not loaded"))),
    }
}

/// Starts to hear every address and waits until each is heard, so that no doorbell rung after the
/// start is lost. A server that is away is not waited for: its trigger keeps trying.
async fn hear(triggers: Vec<AddressTrigger>, tasks: &mut JoinSet<()>, stop: &Stop) {
    let mut all_hearing = Vec::new();
    for trigger in triggers {
        let (told, hearing) = watch::channel(Hearing::No);
        tasks.spawn(trigger.run(stop.clone(), told));
        all_hearing.push(hearing);
    }
    let heard = async {
        for mut hearing in all_hearing {
            // An error means that the trigger is gone, and then there is nothing to wait for.
            let _heard_or_gone = hearing.wait_for(|hearing| *hearing == Hearing::Yes).await.is_ok();
        }
    };
    if tokio::time::timeout(REDIS_WAIT, heard).await.is_err() {
        emit(ChannelsUnheard { after: REDIS_WAIT });
    }
}

fn seconds(since: Instant) -> String {
    format!("{:.2} s", since.elapsed().as_secs_f64())
}
