//! A month of a fleet in virtual time: schedule, manual rotation, edits of the age, an offline
//! stretch, and the audit books that must follow from it.

use emulator::{Connectivity, OsBuild};
use protocol::JoinType;
use protocol::time::{UtcMillis, UtcTicks};
use serde_json::{Value, json};

use super::world::World;

const DEVICES: usize = 1_000;
const SEED: u64 = 20_230_418;
const HOUR_MS: i64 = UtcMillis::HOUR_MS;
const DAY_MS: i64 = UtcMillis::DAY_MS;

/// The groups of the fleet, by device number: all Entra joined and hybrid devices get a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Age 10 days, nothing else happens: 1, 11, 21, 31 March.
    Plain,
    /// Age 10 days, rotated by hand on 5 March: 1, 5, 15, 25 March.
    Manual,
    /// Age 10 days, edited to 7 on 8 March: 1, 11, 18, 25 March.
    Edited,
    /// Age 10 days, offline from 9 to 20 March: 1, 20, 30 March.
    Away,
    /// Registered, domain joined, not joined: nothing.
    Unmanaged,
}

fn part_of(index: usize) -> Part {
    match index % 10 {
        0 => Part::Manual,
        1 => Part::Edited,
        2 => Part::Away,
        7..=9 => Part::Unmanaged,
        _ => Part::Plain,
    }
}

fn join_type_of(index: usize) -> JoinType {
    match (part_of(index), index % 10) {
        (Part::Unmanaged, 7) => JoinType::EntraRegistered,
        (Part::Unmanaged, 8) => JoinType::DomainJoined,
        (Part::Unmanaged, _) => JoinType::NotJoined,
        (_, 6) => JoinType::EntraHybridJoined,
        _ => JoinType::EntraJoined,
    }
}

/// `day` of March 2026 at `hour` o'clock.
fn march(day: i64, hour: i64) -> UtcMillis {
    let first = UtcTicks::parse("2026-03-01T00:00:00Z").unwrap().millis();
    first.plus_millis((day - 1) * DAY_MS + hour * HOUR_MS)
}

/// The days on which a device of this part backs a password up.
fn days_of(part: Part) -> &'static [i64] {
    match part {
        Part::Plain => &[1, 11, 21, 31],
        // seed: Manually rotate passwords. 1 March, by hand on 5 March, then 15 March.
        Part::Manual => &[1, 5, 15, 25],
        // F-071: the running period keeps its 10 days, the next ones have 7.
        Part::Edited => &[1, 11, 18, 25],
        Part::Away => &[1, 20, 30],
        Part::Unmanaged => &[],
    }
}

#[test]
fn a_month_of_a_thousand_devices_keeps_the_schedule_and_the_books() {
    let mut month = Month::begin();
    month.live();
    month.schedules_hold();
    month.metadata_follow_the_last_backup();
    month.books_balance();
    // Three sessions a day and the burst after enrolment, a message each at least.
    assert!(month.world.messages > 90 * DEVICES as u64);
}

struct Month {
    world: World,
    /// Policies for all parts but `Edited`, and for that one.
    edited_policy: String,
    rotations: usize,
}

impl Month {
    fn begin() -> Self {
        let mut world = World::new(SEED, march(1, 9));
        let steady_group = group(&mut world, "steady");
        let edited_group = group(&mut world, "edited");
        let steady_policy = policy(&mut world, "steady", 10);
        let edited_policy = policy(&mut world, "edited", 10);
        assign(&mut world, &steady_policy, &steady_group);
        assign(&mut world, &edited_policy, &edited_group);
        for index in 0..DEVICES {
            let os = if index % 3 == 0 {
                OsBuild::W10_22H2
            } else {
                OsBuild::W11_24H2
            };
            // Spread over an hour, as a fleet enrols.
            let at = march(1, 9).plus_millis(i64::try_from(index).unwrap() * 3_600);
            world.run_until(at);
            let member = world.enroll(join_type_of(index), os);
            let group = if part_of(index) == Part::Edited {
                &edited_group
            } else {
                &steady_group
            };
            if world.members[member].entra_id.is_some() {
                join(&mut world, group, member);
            }
        }
        Self {
            world,
            edited_policy,
            rotations: 0,
        }
    }

    fn live(&mut self) {
        self.world.run_until(march(5, 12));
        for index in 0..DEVICES {
            if part_of(index) == Part::Manual {
                self.rotate(index);
            }
        }
        self.world.run_until(march(8, 12));
        let path = format!(
            "/beta/deviceManagement/configurationPolicies/{}",
            self.edited_policy
        );
        let (status, answer) =
            self.world
                .admin("policy-admin", "PUT", &path, &policy_body("edited", 7));
        assert_eq!(status, 204, "{answer}");
        self.world.run_until(march(9, 12));
        self.connect_away(Connectivity::Offline);
        self.world.run_until(march(20, 12));
        self.connect_away(Connectivity::Online);
        self.world.run_until(march(31, 23));
    }

    fn rotate(&mut self, index: usize) {
        let managed = self.world.managed_id(index);
        let path =
            format!("/beta/deviceManagement/managedDevices/{managed}/rotateLocalAdminPassword");
        let (status, answer) = self
            .world
            .admin("rotate-operator", "POST", &path, &Value::Null);
        assert_eq!(status, 204, "{answer}");
        self.rotations += 1;
    }

    fn connect_away(&mut self, connectivity: Connectivity) {
        let now = self.world.now;
        for index in (0..DEVICES).filter(|index| part_of(*index) == Part::Away) {
            self.world.members[index]
                .device
                .set_connectivity(now, connectivity);
            self.world.settle(index);
        }
    }

    /// Each device backed up on its days, at most an hour late (F-062), never early, and spoke to
    /// the directory at no other time (F-064).
    fn schedules_hold(&self) {
        for (index, member) in self.world.members.iter().enumerate() {
            let part = part_of(index);
            let seen: Vec<String> = member
                .uploads
                .iter()
                .map(|(at, _)| at.to_string())
                .collect();
            let days: Vec<i64> = member
                .uploads
                .iter()
                .map(|(at, _)| at.millis().millis_since(march(1, 0)).div_euclid(DAY_MS) + 1)
                .collect();
            assert_eq!(days, days_of(part), "device {index}, {part:?}: {seen:?}");
            let pairs = member.uploads.iter().zip(member.uploads.iter().skip(1));
            for ((_, due), (at, _)) in pairs {
                let late_ms = at.millis().millis_since(due.millis());
                let by_hand = part == Part::Manual && late_ms < 0;
                let was_away = part == Part::Away && *due < march(20, 12).ticks();
                assert!(
                    by_hand || was_away || (0..=HOUR_MS).contains(&late_ms),
                    "device {index}: due {due}, done {at}"
                );
            }
            if part != Part::Away {
                assert_eq!(
                    member.directory_requests,
                    member.uploads.len() as u64,
                    "{index}"
                );
            }
        }
    }

    fn metadata_follow_the_last_backup(&mut self) {
        for index in 0..DEVICES {
            let Some(entra_id) = self.world.members[index].entra_id else {
                continue;
            };
            let path = format!("/v1.0/directory/deviceLocalCredentials/{entra_id}");
            let (status, shown) = self
                .world
                .admin("metadata-reader", "GET", &path, &Value::Null);
            let Some((last, next)) = self.world.members[index].uploads.last() else {
                assert_eq!(status, 404, "device {index}: {shown}");
                continue;
            };
            assert_eq!(
                shown["lastBackupDateTime"],
                last.to_string(),
                "device {index}"
            );
            assert_eq!(shown["refreshDateTime"], next.to_string(), "device {index}");
            let age = if part_of(index) == Part::Edited {
                7
            } else {
                10
            };
            assert_eq!(next.millis().millis_since(last.millis()), age * DAY_MS);
        }
    }

    /// One update event a backup, one rotation event a manual rotation, none lost, none doubled.
    fn books_balance(&mut self) {
        let uploads: usize = self
            .world
            .members
            .iter()
            .map(|member| member.uploads.len())
            .sum();
        let updates = self.world.admin_list(
            "auditor",
            "/v1.0/auditLogs/directoryAudits?$top=999&$filter=activityDisplayName%20eq%20'Update%20device%20local%20administrator%20password'",
        );
        assert_eq!(updates.len(), uploads);
        let rotations = self.world.admin_list(
            "auditor",
            "/v1.0/deviceManagement/auditEvents?$top=999&$filter=activity%20eq%20'rotateLocalAdminPassword%20ManagedDevice'",
        );
        assert_eq!(rotations.len(), self.rotations);
        assert_eq!(self.rotations, DEVICES / 10);
    }
}

fn policy_body(name: &str, age_days: i32) -> Value {
    let prefix = "device_vendor_msft_laps_policies_";
    json!({
        "name": name, "description": "", "platforms": "windows10", "technologies": "mdm",
        "templateReference": {"templateId": "adc46e5a-f4aa-4ff6-aeff-4f27bc525796_1"},
        "settings": [{
            "@odata.type": "#microsoft.graph.deviceManagementConfigurationSetting",
            "settingInstance": {
                "@odata.type": "#microsoft.graph.deviceManagementConfigurationChoiceSettingInstance",
                "settingDefinitionId": format!("{prefix}backupdirectory"),
                "choiceSettingValue": {
                    "@odata.type": "#microsoft.graph.deviceManagementConfigurationChoiceSettingValue",
                    "value": format!("{prefix}backupdirectory_1"),
                    "children": [{
                        "@odata.type": "#microsoft.graph.deviceManagementConfigurationSimpleSettingInstance",
                        "settingDefinitionId": format!("{prefix}passwordagedays_aad"),
                        "simpleSettingValue": {
                            "@odata.type": "#microsoft.graph.deviceManagementConfigurationIntegerSettingValue",
                            "value": age_days,
                        },
                    }],
                },
            },
        }],
    })
}

fn policy(world: &mut World, name: &str, age_days: i32) -> String {
    let path = "/beta/deviceManagement/configurationPolicies";
    let (status, policy) = world.admin("policy-admin", "POST", path, &policy_body(name, age_days));
    assert_eq!(status, 201, "{policy}");
    policy["id"].as_str().unwrap().to_owned()
}

fn group(world: &mut World, name: &str) -> String {
    let body = json!({
        "displayName": name, "mailEnabled": false, "mailNickname": name, "securityEnabled": true,
    });
    let (status, group) = world.admin("policy-admin", "POST", "/v1.0/groups", &body);
    assert_eq!(status, 201, "{group}");
    group["id"].as_str().unwrap().to_owned()
}

fn assign(world: &mut World, policy: &str, group: &str) {
    let path = format!("/beta/deviceManagement/configurationPolicies/{policy}/assign");
    let body = json!({"assignments": [{"target": {
        "@odata.type": "#microsoft.graph.groupAssignmentTarget", "groupId": group,
    }}]});
    let (status, answer) = world.admin("policy-admin", "POST", &path, &body);
    assert_eq!(status, 200, "{answer}");
}

fn join(world: &mut World, group: &str, member: usize) {
    let entra_id = world.members[member].entra_id.unwrap();
    let path = format!("/v1.0/devices?$filter=deviceId%20eq%20'{entra_id}'");
    let found = world.admin_list("policy-admin", &path);
    let object = found[0]["id"].as_str().unwrap();
    let body =
        json!({"@odata.id": format!("https://graph.example/v1.0/directoryObjects/{object}")});
    let path = format!("/v1.0/groups/{group}/members/$ref");
    let (status, answer) = world.admin("policy-admin", "POST", &path, &body);
    assert_eq!(status, 204, "{answer}");
}
