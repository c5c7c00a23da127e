//! What code inside an environment talks to: the Runtime API as a sans-IO lifecycle and its HTTP shell.
