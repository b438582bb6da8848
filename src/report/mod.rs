//! TELL. One file a form, all from the same values.
