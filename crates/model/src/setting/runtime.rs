/// When the runtime of a version is updated.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum RuntimeManagement {
    /// When a newer one is there.
    #[default]
    Auto,
    /// With the function.
    FunctionUpdate,
    /// Never: it is the version with this ARN.
    Manual(String),
}
