//! What a person is told before a session is ended, on snapshots made by hand.
