//! What an answer was worth: held against the model, counted, and kept where a verdict needs it.

use emulator::{Endpoint, Method};
use protocol::directory::CredentialUpload;
use protocol::enrollment::{AuthPolicy, Request, decode_request};
use protocol::syncml::{Limits, decode};

use super::engine::Engine;
use super::setup::Enrolled;
use super::visit::{Outgoing, Visit};
use super::wire;
use crate::http::{Answer, path_of};
use crate::model::{
    Belief, Http, WrongAnswer, check_directory, check_discovery, check_policies, check_token,
};
use crate::transcript::{Exchange, ExchangeId};

/// What one answer showed.
#[derive(Debug, Default)]
struct Sight {
    /// The answer was held against the model.
    verified: bool,
    wrong: Vec<WrongAnswer>,
    execs: u32,
}

impl Engine {
    /// Judges and counts an answer; true when it was verified and right and asked for no Exec.
    pub(super) fn judge(&mut self, visit: &mut Visit, sent: &Outgoing, answer: &Answer) -> bool {
        let sight = if sent.expectation.is_some() {
            self.judge_management(visit.local, sent, answer)
        } else if !self.verifies() {
            self.take_over(visit.local, sent, answer)
        } else {
            Sight {
                verified: true,
                wrong: self.judge_other(visit.local, sent, answer),
                execs: 0,
            }
        };
        let right = sight.verified && sight.wrong.is_empty() && sight.execs == 0;
        self.keep(visit, (sent, answer), sight);
        right
    }

    fn judge_management(&mut self, local: usize, sent: &Outgoing, answer: &Answer) -> Sight {
        let (Some(member), Some(expectation), Ok(message)) = (
            self.member(local),
            &sent.expectation,
            decode(&sent.body, &Limits::default()),
        ) else {
            return Sight::default();
        };
        let belief = self.slots.get_mut(local).and_then(|it| it.belief.as_mut());
        let Some(belief) = belief else {
            return Sight::default();
        };
        let judgement = belief.judge(&message, expectation, Http::of(answer));
        if judgement.policy_delivered {
            let class = (member.join, member.os.build);
            *self.deliveries.entry(class).or_default() += 1;
        }
        Sight {
            verified: true,
            wrong: judgement.wrong,
            execs: judgement.execs,
        }
    }

    /// Without verification an upload that was taken is noted all the same: nothing is judged.
    fn take_over(&mut self, local: usize, sent: &Outgoing, answer: &Answer) -> Sight {
        if sent.endpoint == Endpoint::Directory && matches!(answer.status, 200..=299) {
            self.uploaded(local, &sent.body);
        }
        Sight::default()
    }

    /// Counts an answer, keeps what was wrong with it, and records it where a verdict may need it.
    fn keep(&mut self, visit: &mut Visit, (sent, answer): (&Outgoing, &Answer), sight: Sight) {
        let local = visit.local;
        let measuring = self.measuring();
        // Without verification the short way still learns from answers that were judged; none counts.
        let verified = sight.verified && self.verifies();
        self.answers.count(measuring, verified);
        visit.evidence |= sight.execs > 0;
        if let Some(attempt) = self.attempt_of(local) {
            attempt.execs += sight.execs;
        }
        if !visit.evidence && sight.wrong.is_empty() {
            return;
        }
        let id = self.record(local, sent, answer);
        let of_rotation = |wrong: &WrongAnswer| {
            wrong
                .requirement
                .is_some_and(|requirement| requirement.starts_with("REQ-ROTATE"))
        };
        if (visit.evidence || sight.wrong.iter().any(of_rotation))
            && let Some(attempt) = self.attempt_of(local)
        {
            attempt.exchanges.push(id);
        }
        for wrong in sight.wrong {
            self.answers.wrong(WrongAnswer {
                exchange: Some(id),
                ..wrong
            });
        }
    }

    fn record(&self, local: usize, sent: &Outgoing, answer: &Answer) -> ExchangeId {
        let party = self.spec(local).map(|spec| spec.device_name);
        self.ground.transcript.record(Exchange {
            plane: wire::plane_of(sent.endpoint),
            scope: "load",
            party: party.unwrap_or_default(),
            method: sent.method.as_str(),
            path: path_of(sent.url()).to_owned(),
            client_request_id: None,
            sent_at: self.at(answer.sent_ns),
            received_at: Some(self.at(answer.received_ns)),
            request: sent.body.to_vec(),
            status: Some(answer.status),
            response: answer.body.to_vec(),
            failure: None,
        })
    }

    /// Answers of the enrolment and directory planes.
    fn judge_other(&mut self, local: usize, sent: &Outgoing, answer: &Answer) -> Vec<WrongAnswer> {
        let http = Http::of(answer);
        match sent.endpoint {
            Endpoint::Discovery if sent.method == Method::Get => {
                if answer.status == 200 {
                    Vec::new()
                } else {
                    let seen = format!("status {}", answer.status);
                    vec![WrongAnswer::common("status 200 for GET Discovery", seen)]
                }
            }
            Endpoint::Discovery => check_discovery(http, offers_federated(&sent.body)),
            Endpoint::Policy => check_policies(http),
            Endpoint::Enrollment => self.judge_token(local, http),
            Endpoint::Directory => {
                let wrong = check_directory(http);
                if wrong.is_empty() {
                    self.uploaded(local, &sent.body);
                }
                wrong
            }
            Endpoint::Management => {
                vec![WrongAnswer::common("an enrolment before a session", "none")]
            }
        }
    }

    fn judge_token(&mut self, local: usize, http: Http<'_>) -> Vec<WrongAnswer> {
        let device_id = self.spec(local).map(|spec| spec.device_id.to_string());
        let (wrong, provisioned) = check_token(http, &device_id.unwrap_or_default());
        if let (Some(provisioned), Some(member)) = (provisioned, self.member(local)) {
            self.poll = Some(provisioned.poll);
            self.enrolled.push(Enrolled {
                device: self.index_of(local),
                managed_id: provisioned.managed_id,
            });
            let class = self.class_of(member.join, &provisioned.provider_id);
            if let Some(slot) = self.slots.get_mut(local) {
                slot.belief = Some(Belief::new(class));
            }
        }
        wrong
    }

    /// The directory took an upload.
    fn uploaded(&mut self, local: usize, body: &[u8]) {
        self.ground.passwords.taken(self.index_of(local));
        if let Some(slot) = self.slots.get_mut(local) {
            if let Some(belief) = &mut slot.belief {
                belief.uploaded();
            }
            if let Ok(upload) = serde_json::from_slice::<CredentialUpload>(body) {
                slot.expires_at(upload.refresh_date_time);
            }
        }
        if let Some(attempt) = self.attempt_of(local) {
            attempt.backups += 1;
        }
    }
}

fn offers_federated(body: &[u8]) -> bool {
    match decode_request(body) {
        Ok(Request::Discover(discover)) => discover.auth_policies.contains(&AuthPolicy::Federated),
        Ok(Request::GetPolicies(_) | Request::RequestSecurityToken(_)) | Err(_) => false,
    }
}
