/// What happens to a function that calls itself in a loop, directly or through a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RecursiveLoop {
    /// It may go on.
    Allow,
    /// It is stopped.
    #[default]
    Terminate,
}
