//! GitLab's words for how far something got, as ours.

use homeostat_schema::types::Status;

/// Of a pipeline, a job or a deployment, which share their words.
pub(super) fn of(status: &str) -> Status {
    match status {
        "created" | "preparing" | "pending" => Status::Queued,
        // For a person, a time, a resource or an approval.
        "manual" | "scheduled" | "waiting_for_resource" | "waiting_for_callback" | "blocked" => {
            Status::Waiting
        }
        "running" | "canceling" => Status::Running,
        "success" => Status::Success,
        "failed" => Status::Failure,
        "canceled" => Status::Cancelled,
        "skipped" => Status::Skipped,
        other => Status::named(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_map() {
        let check = |status: &str, expected: Status| assert_eq!(of(status), expected, "{status}");
        check("created", Status::Queued);
        check("preparing", Status::Queued);
        check("pending", Status::Queued);
        check("manual", Status::Waiting);
        check("scheduled", Status::Waiting);
        check("waiting_for_resource", Status::Waiting);
        check("waiting_for_callback", Status::Waiting);
        check("blocked", Status::Waiting);
        check("running", Status::Running);
        check("canceling", Status::Running);
        check("success", Status::Success);
        check("failed", Status::Failure);
        check("canceled", Status::Cancelled);
        check("skipped", Status::Skipped);
        check("brand_new", Status::Other("brand_new".to_owned()));
    }
}
