//! Real frameworks, as far as the machine has them.
