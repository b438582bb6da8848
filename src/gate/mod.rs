//! DECIDE. Footprint × snapshot → verdict: the grant rule, the queue, snapshot waits, policy.
