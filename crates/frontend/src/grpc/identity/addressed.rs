//! Messages that name the account they are about.

use proto::v1;

/// A message with an account; an empty one is the caller's own.
pub(super) trait Addressed {
    fn account(&self) -> &str;
}

macro_rules! addressed {
    ($($message:ident,)*) => {$(
        impl Addressed for v1::$message {
            fn account(&self) -> &str {
                &self.account
            }
        }
    )*};
}

addressed! {
    PutAccountRequest,
    GetAccountRequest,
    DeleteAccountRequest,
    CreateUserRequest,
    GetUserRequest,
    ListUsersRequest,
    DeleteUserRequest,
    CreateRoleRequest,
    GetRoleRequest,
    ListRolesRequest,
    UpdateRoleRequest,
    DeleteRoleRequest,
    PutPolicyRequest,
    GetPolicyRequest,
    ListPoliciesRequest,
    DeletePolicyRequest,
    PutUserPolicyRequest,
    PutRolePolicyRequest,
    DeleteUserPolicyRequest,
    DeleteRolePolicyRequest,
    AttachUserPolicyRequest,
    AttachRolePolicyRequest,
    DetachUserPolicyRequest,
    DetachRolePolicyRequest,
    PutUserPermissionsBoundaryRequest,
    PutRolePermissionsBoundaryRequest,
    DeleteUserPermissionsBoundaryRequest,
    DeleteRolePermissionsBoundaryRequest,
    CreateAccessKeyRequest,
    ListAccessKeysRequest,
    UpdateAccessKeyRequest,
    DeleteAccessKeyRequest,
}

/// Accounts are listed from no account in particular.
impl Addressed for v1::ListAccountsRequest {
    fn account(&self) -> &str {
        ""
    }
}
