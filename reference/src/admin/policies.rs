//! Settings-catalogue policies and their assignments.

use std::collections::BTreeMap;

use protocol::graph::list::Page;
use protocol::graph::policy::{
    Assign, Assignment, ConfigurationPolicy, LAPS_TEMPLATE_ID, PLATFORM_WINDOWS_10, Setting,
    TECHNOLOGY_MDM, Target, TemplateReference, leaves_from_settings,
};
use protocol::laps_csp::{Leaf, Value};

use super::Call;
use super::defect::masked_age;
use super::paging::Paging;
use super::reply::{Answer, Refusal, Reply, read_body};
use super::route::PathId;
use crate::assignment::Change;
use crate::audit::{ActivityResult, IntuneActivity};
use crate::core::Core;
use crate::fault::Fault;
use crate::state::{AssignmentTarget, Policy, PolicyId, Tenant};

pub(super) fn list(core: &Core, call: &Call<'_>) -> Answer {
    let paging = Paging::parse(call, &[])?;
    let range = paging.ids()?;
    let policies = core.tenant.policies.range(range).map(|(id, policy)| {
        let whole = view(*id, policy);
        (
            *id,
            ConfigurationPolicy {
                settings: None,
                ..whole
            },
        )
    });
    Ok(paging.page(call, policies))
}

pub(super) fn create(core: &mut Core, call: &Call<'_>) -> Answer {
    call.query.allow_only(&[])?;
    let nameless = core.faults.has(Fault::PolicyNamelessSaved);
    let (body, age) = masked_age(core, call.body);
    let mut content = Content::read_named(&body, !nameless)?;
    if nameless && content.name.trim().is_empty() && !core.faults.on(Fault::PolicyNamelessSaved) {
        content = Content::read_named(&body, true)?;
    }
    if let Some(age) = age {
        content
            .leaves
            .insert(Leaf::PasswordAgeDays, Value::Int(age));
    }
    let longest = content.leaves.get(&Leaf::PasswordAgeDays) == Some(&Value::Int(365));
    if longest && core.faults.on(Fault::CspAgeNarrow) {
        return Err(Refusal::bad_request("365 days are out of range."));
    }
    if !content.description.is_empty() && core.faults.on(Fault::PolicyDropsDescription) {
        content.description.clear();
    }
    let id = core.new_id();
    let policy = Policy {
        name: content.name,
        description: content.description,
        scope_tags: content.scope_tags,
        settings: content.settings.unwrap_or_default(),
        leaves: content.leaves,
        assignments: Vec::new(),
        created_at: call.now,
        order: core.tenant.policies_made,
        modified_at: call.now,
    };
    let created = Reply::created(&view(id, &policy));
    let name = policy.name.clone();
    core.tenant.policies_made += 1;
    core.tenant.policies.insert(id, policy);
    log(core, call, IntuneActivity::CreatePolicy, (id, &name));
    Ok(created)
}

pub(super) fn read(core: &Core, call: &Call<'_>, id: PathId) -> Answer {
    call.query.allow_only(&[])?;
    let (id, policy) = find(&core.tenant, call, id)?;
    Ok(Reply::ok(&view(id, policy)))
}

pub(super) fn settings(core: &Core, call: &Call<'_>, id: PathId) -> Answer {
    let paging = Paging::parse(call, &[])?;
    let after: Option<usize> = paging.after()?;
    let (_, policy) = find(&core.tenant, call, id)?;
    let settings = policy.settings.iter().enumerate().map(|(place, setting)| {
        (
            place,
            Setting {
                id: Some(place.to_string()),
                ..setting.clone()
            },
        )
    });
    let first = after.map_or(0, |after| after.saturating_add(1));
    Ok(paging.page(call, settings.skip(first)))
}

pub(super) fn assignments(core: &Core, call: &Call<'_>, id: PathId) -> Answer {
    let paging = Paging::parse(call, &[])?;
    let after: Option<usize> = paging.after()?;
    let (id, policy) = find(&core.tenant, call, id)?;
    let listed = policy.assignments.iter().enumerate();
    let first = after.map_or(0, |after| after.saturating_add(1));
    let rest = listed
        .skip(first)
        .map(|(place, target)| (place, assignment(id, *target)));
    Ok(paging.page(call, rest))
}

/// `PUT` of the whole policy.
pub(super) fn replace(core: &mut Core, call: &Call<'_>, id: PathId) -> Answer {
    call.query.allow_only(&[])?;
    let content = Content::read(call.body)?;
    let Some(settings) = content.settings else {
        return Err(Refusal::bad_request("`settings` is missing."));
    };
    let (id, _) = find(&core.tenant, call, id)?;
    let Some(policy) = core.tenant.policies.get_mut(&id) else {
        return Err(call.no_such("policy", Some(id)));
    };
    let altered = policy.leaves != content.leaves;
    policy.name.clone_from(&content.name);
    policy.description = content.description;
    policy.scope_tags = content.scope_tags;
    policy.settings = settings;
    policy.leaves = content.leaves;
    policy.modified_at = call.now;
    if altered {
        core.policies_changed(call.now, Change::Settings(id));
    }
    log(core, call, IntuneActivity::PatchPolicy, (id, &content.name));
    Ok(Reply::no_content())
}

pub(super) fn delete(core: &mut Core, call: &Call<'_>, id: PathId) -> Answer {
    call.query.allow_only(&[])?;
    let (id, _) = find(&core.tenant, call, id)?;
    let Some(policy) = core.tenant.policies.remove(&id) else {
        return Err(call.no_such("policy", Some(id)));
    };
    let name = policy.name.clone();
    core.policies_changed(call.now, Change::Deleted(id, Box::new(policy)));
    log(core, call, IntuneActivity::DeletePolicy, (id, &name));
    Ok(Reply::no_content())
}

/// Replaces the whole list of assignments.
pub(super) fn assign(core: &mut Core, call: &Call<'_>, id: PathId) -> Answer {
    call.query.allow_only(&[])?;
    let body: Assign = read_body(call.body)?;
    let (id, _) = find(&core.tenant, call, id)?;
    let mut targets: Vec<AssignmentTarget> = Vec::new();
    for assignment in &body.assignments {
        let target = known_target(&core.tenant, assignment.target)?;
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    let Some(policy) = core.tenant.policies.get_mut(&id) else {
        return Err(call.no_such("policy", Some(id)));
    };
    let name = policy.name.clone();
    let before = std::mem::replace(&mut policy.assignments, targets.clone());
    if before != targets {
        core.policies_changed(call.now, Change::Assignments(id, before));
    }
    log(core, call, IntuneActivity::AssignPolicy, (id, &name));
    let value = targets
        .into_iter()
        .map(|target| assignment(id, target))
        .collect();
    Ok(Reply::ok(&Page {
        value,
        next_link: None,
    }))
}

/// What a request says about a policy, checked.
struct Content {
    name: String,
    description: String,
    scope_tags: Vec<String>,
    settings: Option<Vec<Setting>>,
    leaves: BTreeMap<Leaf, Value>,
}

impl Content {
    fn read(body: &[u8]) -> Result<Self, Refusal> {
        Self::read_named(body, true)
    }

    fn read_named(body: &[u8], named: bool) -> Result<Self, Refusal> {
        let policy: ConfigurationPolicy = read_body(body)?;
        if named && policy.name.trim().is_empty() {
            return Err(Refusal::bad_request("`name` is empty."));
        }
        only("platforms", &policy.platforms, PLATFORM_WINDOWS_10)?;
        only("technologies", &policy.technologies, TECHNOLOGY_MDM)?;
        if let Some(template) = &policy.template_reference
            && template.template_id != LAPS_TEMPLATE_ID
        {
            let message = format!("The template `{}` is not served.", template.template_id);
            return Err(Refusal::bad_request(message));
        }
        let leaves = leaves_from_settings(policy.settings.as_deref().unwrap_or_default())
            .map_err(|error| Refusal::bad_request(format!("{error}.")))?;
        Ok(Self {
            name: policy.name,
            description: policy.description.unwrap_or_default(),
            // Contract 5: the default scope tag.
            scope_tags: policy
                .role_scope_tag_ids
                .unwrap_or_else(|| vec!["0".to_owned()]),
            settings: policy.settings,
            leaves,
        })
    }
}

/// A member that has one value here, or is left out.
fn only(member: &str, value: &str, served: &str) -> Result<(), Refusal> {
    if value.is_empty() || value == served {
        return Ok(());
    }
    Err(Refusal::bad_request(format!(
        "`{member}` is `{value}`; only `{served}` is served."
    )))
}

fn known_target(tenant: &Tenant, target: Target) -> Result<AssignmentTarget, Refusal> {
    let known = |group| {
        let exists = tenant.groups.contains_key(&group);
        exists
            .then_some(group)
            .ok_or_else(|| Refusal::not_found("group", group))
    };
    match target {
        Target::Group { group_id } => known(group_id).map(AssignmentTarget::Group),
        Target::ExclusionGroup { group_id } => known(group_id).map(AssignmentTarget::ExcludedGroup),
        Target::AllDevices {} => Ok(AssignmentTarget::AllDevices),
        Target::AllLicensedUsers {} => Ok(AssignmentTarget::AllLicensedUsers),
    }
}

fn assignment(policy: PolicyId, target: AssignmentTarget) -> Assignment {
    let (suffix, target) = match target {
        AssignmentTarget::Group(group_id) => (group_id.to_string(), Target::Group { group_id }),
        AssignmentTarget::ExcludedGroup(group_id) => (
            format!("{group_id}_excluded"),
            Target::ExclusionGroup { group_id },
        ),
        AssignmentTarget::AllDevices => ("allDevices".to_owned(), Target::AllDevices {}),
        AssignmentTarget::AllLicensedUsers => {
            ("allLicensedUsers".to_owned(), Target::AllLicensedUsers {})
        }
    };
    Assignment {
        id: Some(format!("{policy}_{suffix}")),
        target,
    }
}

fn view(id: PolicyId, policy: &Policy) -> ConfigurationPolicy {
    ConfigurationPolicy {
        id: Some(id),
        name: policy.name.clone(),
        description: Some(policy.description.clone()),
        platforms: PLATFORM_WINDOWS_10.to_owned(),
        technologies: TECHNOLOGY_MDM.to_owned(),
        role_scope_tag_ids: Some(policy.scope_tags.clone()),
        template_reference: Some(TemplateReference::laps()),
        settings: Some(policy.settings.clone()),
        created_date_time: Some(policy.created_at.ticks()),
        last_modified_date_time: Some(policy.modified_at.ticks()),
        setting_count: u32::try_from(policy.settings.len()).ok(),
        is_assigned: Some(!policy.assignments.is_empty()),
    }
}

fn find<'t>(
    tenant: &'t Tenant,
    call: &Call<'_>,
    id: PathId,
) -> Result<(PolicyId, &'t Policy), Refusal> {
    id.and_then(|id| Some((id, tenant.policies.get(&id)?)))
        .ok_or_else(|| call.no_such("policy", id))
}

fn log(core: &mut Core, call: &Call<'_>, activity: IntuneActivity, resource: (PolicyId, &str)) {
    let edits = activity == IntuneActivity::PatchPolicy;
    if edits && core.faults.on(Fault::AudPolicyEditSilent) {
        return;
    }
    let deed = call.deed(resource.0, resource.1);
    core.audit
        .administered(call.now, activity, ActivityResult::Success, deed);
}
