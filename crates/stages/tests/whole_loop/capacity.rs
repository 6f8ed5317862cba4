//! A queue that is going to pass its limit, and the replicas that prevent it.

use homeostat_schema::types::{
    Correlation, Event, EventKind, Incident, IncidentState, OutcomeKind, Signal, Status,
};

use super::{World, outcomes};

const MINUTE_MS: u64 = 60_000;

/// A replica takes ten items a second, and five hundred may wait.
fn acting(replicas_max: u32) -> String {
    format!(
        "[environments.stage]\nmode = \"act\"\ntimeout_s = 60\n[[service]]\nname = \"mail\"\n\
         kubernetes.stage = {{ namespace = \"mail\", deployment = \"worker\" }}\n\
         capacity.stage = {{ queue_max = 500, per_replica = 10, replicas_max = {replicas_max} }}\n"
    )
}

/// A mail worker: what waits is what came, less what its replicas took.
struct Mail {
    world: World,
    waiting: f64,
}

impl Mail {
    /// Two hours with twenty mails a second, which three replicas take.
    fn calm(config: &str) -> Self {
        let world = World::new(config);
        world.forge.replicas.set(3);
        let mut mail = Self { world, waiting: 0.0 };
        (0..120).for_each(|_| mail.minute(20.0));
        mail
    }

    fn minute(&mut self, load: f64) {
        let world = &self.world;
        world.store.advance_ms(MINUTE_MS);
        let replicas = f64::from(u32::try_from(world.forge.replicas.get()).unwrap());
        self.waiting = (self.waiting + 60.0 * (load - 10.0 * replicas)).max(0.0);
        let signal = |name: &str, value: f64| Signal {
            name: name.to_owned(),
            value,
            unit: "{item}".to_owned(),
            samples: 1,
        };
        world.send(&Event {
            kind: EventKind::Observation,
            service: "mail".to_owned(),
            signals: vec![signal("queue", self.waiting), signal("load", load), signal("replicas", replicas)],
            correlation: Correlation { run: None, ..world.run_ended(Status::Unknown, 1).correlation },
            ..world.run_ended(Status::Unknown, 1)
        });
        world.settle();
        world.wait(1);
    }

    fn incident(&self) -> Option<Incident> {
        self.world.incidents().into_iter().find(|one| one.service == "mail")
    }

    fn patches(&self) -> usize {
        self.world.forge.asked.borrow().iter().filter(|line| line.starts_with("PATCH")).count()
    }
}

#[test]
fn replicas_come_before_the_queue_passes_its_limit_and_the_incident_closes() {
    let mut mail = Mail::calm(&acting(20));
    assert!(mail.incident().is_none());
    let mut most: f64 = 0.0;
    for _ in 0..30 {
        mail.minute(33.0);
        most = most.max(mail.waiting);
    }
    let incident = mail.incident().expect("an incident");
    assert!(most < 500.0, "{most} waited of the 500 that may");
    assert!(mail.world.forge.replicas.get() > 3, "{:#?}", incident.timeline);
    assert_eq!(mail.patches(), 1, "{:?}", mail.world.forge.asked.borrow());
    assert_eq!(outcomes(&incident), [OutcomeKind::Cured], "{:#?}", incident.timeline);
    assert_eq!(incident.state, IncidentState::Resolved);
    let said = |text: &str| incident.timeline.iter().any(|item| item.text.contains(text));
    assert!(said("passes its limit in") && said("the Deployment worker goes from 3 to"));
}

#[test]
fn it_is_scaled_as_far_as_is_allowed_and_then_a_person_has_it() {
    let mut mail = Mail::calm(&acting(4));
    (0..40).for_each(|_| mail.minute(60.0));
    let incident = mail.incident().expect("an incident");
    assert_eq!((mail.world.forge.replicas.get(), mail.patches()), (4, 1));
    assert_eq!(outcomes(&incident), [OutcomeKind::NotCured], "{:#?}", incident.timeline);
    assert_eq!(incident.state, IncidentState::Escalated, "{:#?}", incident.timeline);
}

#[test]
fn where_nothing_may_be_done_it_is_said_how_many_replicas_would_do() {
    let mut mail = Mail::calm(&acting(20).replace("\"act\"", "\"suggest\""));
    (0..10).for_each(|_| mail.minute(33.0));
    let incident = mail.incident().expect("an incident");
    assert_eq!(mail.patches(), 0);
    let said = |text: &str| incident.timeline.iter().any(|item| item.text.contains(text));
    assert!(said("scale up by") && said("scale-up to "), "{:#?}", incident.timeline);
}
