//! What can be asked.

macro_rules! actions {
    ($($name:ident: $kind:ident,)*) => {
        /// One thing that can be asked, by the name of its method.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Action {
            $($name,)*
        }

        impl Action {
            /// All of them.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The method.
            pub(crate) const fn method(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// What the audit log calls it, which is the action that policies know where AWS has one of this name.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => concat!("iam:", stringify!($name)),)*
                }
            }

            /// Whether it changes something.
            pub(crate) const fn is_change(self) -> bool {
                match self {
                    $(Self::$name => Kind::$kind.is_change(),)*
                }
            }
        }
    };
}

enum Kind {
    Change,
    Look,
}

impl Kind {
    const fn is_change(&self) -> bool {
        matches!(self, Self::Change)
    }
}

actions! {
    PutAccount: Change,
    GetAccount: Look,
    ListAccounts: Look,
    DeleteAccount: Change,
    CreateUser: Change,
    GetUser: Look,
    ListUsers: Look,
    DeleteUser: Change,
    CreateRole: Change,
    GetRole: Look,
    ListRoles: Look,
    UpdateRole: Change,
    DeleteRole: Change,
    PutPolicy: Change,
    GetPolicy: Look,
    ListPolicies: Look,
    DeletePolicy: Change,
    PutUserPolicy: Change,
    PutRolePolicy: Change,
    DeleteUserPolicy: Change,
    DeleteRolePolicy: Change,
    AttachUserPolicy: Change,
    AttachRolePolicy: Change,
    DetachUserPolicy: Change,
    DetachRolePolicy: Change,
    PutUserPermissionsBoundary: Change,
    PutRolePermissionsBoundary: Change,
    DeleteUserPermissionsBoundary: Change,
    DeleteRolePermissionsBoundary: Change,
    CreateAccessKey: Change,
    ListAccessKeys: Look,
    UpdateAccessKey: Change,
    DeleteAccessKey: Change,
}

impl Action {
    /// The action of a method.
    pub(crate) fn of(method: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.method() == method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_the_service_is_an_action() {
        let file = include_str!("../../../../proto/dunlin/v1/identity.proto");
        let methods: Vec<&str> = file
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("rpc "))
            .filter_map(|rest| rest.split('(').next())
            .collect();
        let known: Vec<&str> = Action::ALL.iter().map(|a| a.method()).collect();
        assert_eq!(known, methods);
        assert_eq!(Action::of("CreateUser"), Some(Action::CreateUser));
        assert_eq!(Action::of("CreateFunction"), None);
        assert_eq!(Action::CreateUser.name(), "iam:CreateUser");
        for action in Action::ALL {
            let mut looks = ["Get", "List"].iter();
            let looks = looks.any(|verb| action.method().starts_with(verb));
            assert_eq!(action.is_change(), !looks, "{action:?}");
        }
    }
}
