//! Listening to doorbells, for workers outside Spin.

use futures::StreamExt;
use homeostat_flow::{RedisError, Shard, Stage};
use redis::Client;

/// A subscription to the channels of some stages.
pub struct Bells {
    stages: Vec<Stage>,
    messages: redis::aio::PubSubStream,
    // Dropping it would end the subscription.
    _sink: redis::aio::PubSubSink,
}

impl Bells {
    /// Subscribes; bells rung from now on are heard.
    ///
    /// # Errors
    /// [`RedisError`] when the server cannot be reached.
    pub async fn subscribe(url: &str, stages: &[Stage]) -> Result<Self, RedisError> {
        let unavailable = |error: redis::RedisError| RedisError::Unavailable(error.to_string());
        let client = Client::open(url).map_err(unavailable)?;
        let (mut sink, messages) = client.get_async_pubsub().await.map_err(unavailable)?.split();
        for stage in stages {
            sink.subscribe(stage.channel()).await.map_err(unavailable)?;
        }
        Ok(Self { stages: stages.to_vec(), messages, _sink: sink })
    }

    /// The next bell; `None` when the connection ended. What is no bell is passed over.
    pub async fn next(&mut self) -> Option<(Stage, Shard)> {
        while let Some(message) = self.messages.next().await {
            let channel = message.get_channel_name();
            let stage = self.stages.iter().find(|stage| stage.channel() == channel);
            let shard = message.get_payload::<String>().ok().and_then(|name| Shard::parse(&name));
            if let (Some(stage), Some(shard)) = (stage, shard) {
                return Some((*stage, shard));
            }
        }
        None
    }
}
