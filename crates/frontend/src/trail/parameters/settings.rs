//! What a record says of a request about a setting.

use lambda_api::request::setting::{Configure, ListSettings, SettingRequest};
use model::{SettingChange, setting::UrlAuth};

use super::List;

pub(super) fn of(list: &mut List, request: &SettingRequest) {
    use SettingRequest as R;
    match request {
        R::AddPermission(r) => configure(list, &r.configure),
        R::PutResourcePolicy(r) => configure(list, &r.configure),
        R::RemovePermission(r)
        | R::DeleteResourcePolicy(r)
        | R::PutFunctionConcurrency(r)
        | R::DeleteFunctionConcurrency(r)
        | R::PutProvisionedConcurrencyConfig(r)
        | R::DeleteProvisionedConcurrencyConfig(r)
        | R::PutFunctionEventInvokeConfig(r)
        | R::UpdateFunctionEventInvokeConfig(r)
        | R::DeleteFunctionEventInvokeConfig(r)
        | R::CreateFunctionUrlConfig(r)
        | R::UpdateFunctionUrlConfig(r)
        | R::DeleteFunctionUrlConfig(r)
        | R::PutRuntimeManagementConfig(r)
        | R::PutFunctionRecursionConfig(r)
        | R::PutFunctionScalingConfig(r) => configure(list, r),
        R::ListProvisionedConcurrencyConfigs(r)
        | R::ListFunctionEventInvokeConfigs(r)
        | R::ListFunctionUrlConfigs(r) => page(list, r),
        R::TagResource(r) => list.names("Tags", r.tags.keys()),
        R::UntagResource(r) => list.names("TagKeys", r.keys.iter()),
        R::GetPolicy(_)
        | R::GetResourcePolicy(_)
        | R::GetFunctionConcurrency(_)
        | R::GetProvisionedConcurrencyConfig(_)
        | R::GetFunctionEventInvokeConfig(_)
        | R::GetFunctionUrlConfig(_)
        | R::GetRuntimeManagementConfig(_)
        | R::GetFunctionRecursionConfig(_)
        | R::GetFunctionScalingConfig(_)
        | R::ListTags(_) => {}
    }
}

fn page(list: &mut List, request: &ListSettings) {
    list.page(&request.page);
}

fn configure(list: &mut List, configure: &Configure) {
    list.shown("RevisionId", configure.expected);
    match &configure.change {
        // The statement may hold a token that an event source proves itself with; its id leads to it.
        SettingChange::AddStatement { statement, .. } => {
            list.text("StatementId", statement.sid.as_ref());
        }
        SettingChange::RemoveStatement { sid } => list.text("StatementId", Some(sid)),
        SettingChange::Reserve { executions, .. } => {
            list.put("ReservedConcurrentExecutions", *executions);
        }
        SettingChange::Provision { executions, .. } => {
            list.put("ProvisionedConcurrentExecutions", *executions);
        }
        SettingChange::PutEventInvoke(patch) | SettingChange::PatchEventInvoke(patch) => {
            list.put_some("MaximumRetryAttempts", patch.retries_max);
            list.put_some("MaximumEventAgeInSeconds", patch.age_max_s);
        }
        SettingChange::CreateUrl { auth, .. } => auth_type(list, Some(*auth)),
        SettingChange::UpdateUrl(patch) => auth_type(list, patch.auth),
        SettingChange::ManageRuntime(management) => {
            list.text("UpdateRuntimeOn", Some(format!("{management:?}")));
        }
        SettingChange::Recurse(recursive_loop) => {
            list.text("RecursiveLoop", Some(format!("{recursive_loop:?}")));
        }
        SettingChange::Scale(scaling) => {
            list.put_some("MinExecutionEnvironments", scaling.environments_min);
            list.put_some("MaxExecutionEnvironments", scaling.environments_max);
        }
        SettingChange::PutPolicy(_)
        | SettingChange::DeletePolicy
        | SettingChange::Unreserve
        | SettingChange::Unprovision
        | SettingChange::DeleteEventInvoke
        | SettingChange::DeleteUrl
        | SettingChange::Tag { .. }
        | SettingChange::Untag { .. } => {}
    }
}

fn auth_type(list: &mut List, auth: Option<UrlAuth>) {
    let name = |auth| match auth {
        UrlAuth::AwsIam => "AWS_IAM",
        UrlAuth::None => "NONE",
    };
    list.text("AuthType", auth.map(name));
}
