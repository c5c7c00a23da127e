/// How many environments a version has on a capacity provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Scaling {
    /// The least.
    pub environments_min: Option<u32>,
    /// The most.
    pub environments_max: Option<u32>,
}

impl Scaling {
    /// Whether it says nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.environments_min.is_none() && self.environments_max.is_none()
    }
}
