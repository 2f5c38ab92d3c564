//! The daemon as a process: started, asked, told to stop.

#[cfg(test)]
mod backup;
#[cfg(test)]
mod bus;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod current;
#[cfg(test)]
mod daemon;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod new_box;
#[cfg(test)]
mod process;
#[cfg(test)]
mod units;
#[cfg(test)]
mod versions;
