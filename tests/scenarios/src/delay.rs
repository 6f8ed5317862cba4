//! A call that takes its time, by the scenario's clock: nobody waits for it in real time.

use anyhow::Result;

use crate::stage::Stage;

impl Stage {
    /// Once the call that is to take its time is held: the time passes, everything else goes on in
    /// it, and then the call does.
    pub(crate) async fn pass_delay(&mut self) -> Result<()> {
        let is_held = self.faults.held() > 0;
        let Some(delay) = self.delay.take_if(|_| is_held) else { return Ok(()) };
        self.tell_news().await?;
        self.timeline.says(&format!("{} s pass before it goes on", delay.by.as_secs()));
        self.advance(delay.by).await?;
        self.settle().await?;
        self.tell_news().await?;
        self.timeline.says("it goes on");
        self.release().await?;
        self.settle().await
    }
}
