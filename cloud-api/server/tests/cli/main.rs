//! The program from outside: exit codes, what it prints, what it refuses.

#[cfg(test)]
mod program;
