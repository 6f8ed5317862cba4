//! Carries deliveries to sinks, signed with the sink's keys.

use homeostat_adapter_spin::{SteadyClock, send, wall_clock_ms};
use homeostat_emit::delivery::Delivery;
use homeostat_emit::sign;
use homeostat_flow::Clock;
use homeostat_schema::config::Sink;
use homeostat_stages::emit::Courier;
use homeostat_worker::variable;

/// Nothing of a sink's answer is read but its status.
const REPLY_BYTES_MAX: usize = 64 * 1024;

/// Sends over Spin's outbound HTTP, behind `allowed_outbound_hosts`.
pub(crate) struct HttpCourier {
    clock: SteadyClock,
}

impl HttpCourier {
    /// Measures by this clock.
    pub(crate) fn new(clock: SteadyClock) -> Self {
        Self { clock }
    }
}

impl Clock for HttpCourier {
    fn elapsed_ms(&self) -> u64 {
        self.clock.elapsed_ms()
    }
}

impl Courier for HttpCourier {
    async fn deliver(&self, sink: &Sink, delivery: &Delivery, timeout_ms: u64) -> Result<u16, String> {
        let lines = variable("sink_secrets").await.map_err(|error| error.to_string())?;
        let keys = sign::keys_of(&lines, &sink.name).map_err(|error| error.to_string())?;
        if keys.is_empty() {
            return Err(format!("no key: the variable sink_secrets has no line `{}=whsec_…`", sink.name));
        }
        let request = delivery.request(sink, &keys, wall_clock_ms());
        let request = request.ok_or_else(|| "the request could not be built".to_owned())?;
        let answered = send(request, timeout_ms, REPLY_BYTES_MAX).await;
        answered.map(|response| response.status().as_u16()).map_err(|error| error.to_string())
    }
}
