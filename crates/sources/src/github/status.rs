//! GitHub's words for how far something got, as ours.

use homeostat_schema::types::Status;

/// Of a `workflow_run`, by its action, else by its status; `None` for an action that is no news. A
/// run that ended before GitHub told of its beginning has ended: its status says so already.
pub(super) fn of_run(action: Option<&str>, status: Option<&str>, conclusion: Option<&str>) -> Option<Status> {
    match (action, conclusion) {
        (None, _) => Some(of_progress(status?, conclusion)),
        (Some("requested" | "in_progress"), Some(end)) if status == Some("completed") => {
            Some(of_conclusion(end))
        }
        // A first-time contributor's run is "requested" with this conclusion already set.
        (Some("requested" | "in_progress"), Some("action_required")) => Some(Status::Waiting),
        (Some("requested"), _) => Some(Status::Queued),
        (Some("in_progress"), _) => Some(Status::Running),
        (Some("completed"), conclusion) => Some(of_progress("completed", conclusion)),
        _ => None,
    }
}

/// Of a job or check, by its status and conclusion. The same words are the actions of a job.
pub(super) fn of_progress(status: &str, conclusion: Option<&str>) -> Status {
    match (status, conclusion) {
        ("queued" | "requested" | "pending", _) => Status::Queued,
        ("waiting", _) => Status::Waiting,
        ("in_progress", _) => Status::Running,
        ("completed", Some(conclusion)) => of_conclusion(conclusion),
        ("completed", None) => Status::Unknown,
        (other, _) => Status::named(other),
    }
}

fn of_conclusion(conclusion: &str) -> Status {
    match conclusion {
        "success" | "neutral" => Status::Success,
        "failure" | "timed_out" | "startup_failure" => Status::Failure,
        // GitHub gave up on a run nobody finished: no verdict on the code.
        "cancelled" | "stale" => Status::Cancelled,
        "skipped" => Status::Skipped,
        "action_required" => Status::Waiting,
        other => Status::named(other),
    }
}

/// Of a commit's status, by its state.
pub(super) fn of_commit(state: &str) -> Status {
    match state {
        "pending" => Status::Queued,
        "success" => Status::Success,
        "failure" | "error" => Status::Failure,
        other => Status::named(other),
    }
}

/// Of a `deployment_status`, by its state.
pub(super) fn of_deployment(state: &str) -> Status {
    match state {
        "pending" | "queued" => Status::Queued,
        "waiting" => Status::Waiting,
        "in_progress" => Status::Running,
        "success" => Status::Success,
        "failure" | "error" => Status::Failure,
        // A newer deployment took its place; not a failure.
        "inactive" => Status::Superseded,
        other => Status::named(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_statuses_follow_action_and_conclusion() {
        let check = |action, conclusion, expected: Option<Status>| {
            assert_eq!(of_run(action, None, conclusion), expected, "{action:?} {conclusion:?}");
        };
        check(Some("requested"), None, Some(Status::Queued));
        check(Some("requested"), Some("action_required"), Some(Status::Waiting));
        check(Some("in_progress"), None, Some(Status::Running));
        check(Some("completed"), Some("success"), Some(Status::Success));
        check(Some("completed"), Some("neutral"), Some(Status::Success));
        check(Some("completed"), Some("failure"), Some(Status::Failure));
        check(Some("completed"), Some("timed_out"), Some(Status::Failure));
        check(Some("completed"), Some("startup_failure"), Some(Status::Failure));
        check(Some("completed"), Some("cancelled"), Some(Status::Cancelled));
        check(Some("completed"), Some("stale"), Some(Status::Cancelled));
        check(Some("completed"), Some("skipped"), Some(Status::Skipped));
        check(Some("completed"), Some("action_required"), Some(Status::Waiting));
        check(Some("completed"), Some("brand_new"), Some(Status::Other("brand_new".to_owned())));
        check(Some("completed"), None, Some(Status::Unknown));
        check(Some("deleted"), None, None);
        check(None, Some("success"), None);
    }

    #[test]
    fn a_run_without_an_action_is_told_by_its_status() {
        let check = |status, conclusion, expected: Status| {
            assert_eq!(of_run(None, Some(status), conclusion), Some(expected), "{status} {conclusion:?}");
        };
        check("queued", None, Status::Queued);
        check("requested", None, Status::Queued);
        check("pending", None, Status::Queued);
        check("waiting", None, Status::Waiting);
        check("in_progress", None, Status::Running);
        check("completed", Some("failure"), Status::Failure);
        check("completed", None, Status::Unknown);
        check("brand_new", None, Status::Other("brand_new".to_owned()));
    }

    #[test]
    fn a_run_that_ended_before_its_beginning_was_told_has_ended() {
        let check = |action, conclusion, expected: Status| {
            assert_eq!(of_run(Some(action), Some("completed"), conclusion), Some(expected), "{action}");
        };
        check("in_progress", Some("success"), Status::Success);
        check("requested", Some("failure"), Status::Failure);
        check("requested", Some("action_required"), Status::Waiting);
        check("in_progress", None, Status::Running);
        assert_eq!(of_run(Some("in_progress"), Some("queued"), Some("failure")), Some(Status::Running));
    }

    #[test]
    fn states_of_a_commit_map() {
        let check = |state: &str, expected: Status| assert_eq!(of_commit(state), expected, "{state}");
        check("pending", Status::Queued);
        check("success", Status::Success);
        check("failure", Status::Failure);
        check("error", Status::Failure);
        check("brand_new", Status::Other("brand_new".to_owned()));
    }

    #[test]
    fn deployment_states_map_and_inactive_is_not_a_failure() {
        let check = |state: &str, expected: Status| assert_eq!(of_deployment(state), expected, "{state}");
        check("pending", Status::Queued);
        check("queued", Status::Queued);
        check("waiting", Status::Waiting);
        check("in_progress", Status::Running);
        check("success", Status::Success);
        check("failure", Status::Failure);
        check("error", Status::Failure);
        check("inactive", Status::Superseded);
        check("brand_new", Status::Other("brand_new".to_owned()));
    }
}
